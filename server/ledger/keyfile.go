package ledger

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/digate/digate/internal/durable"
	"github.com/digate/digate/server/nearjson"
)

// maxKeyFile is the maximum number of bytes that are read from a key file.
const maxKeyFile = 1 << 10

// RandomKeys returns a new random key, which is stored nowhere.
func RandomKeys() Keys {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails
	keys, _ := NewKeys(key)
	return keys
}

// ReadKeyFile returns the content of a key file, for [LoadKey].
func ReadKeyFile(path string) ([]byte, error) {
	if _, err := LoadKey(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// LoadKey reads a key file. It contains 64 hexadecimal digits, as `openssl rand -hex 32`
// prints them, and possibly surrounding white space. No error quotes the content.
func LoadKey(path string) (Keys, error) {
	f, err := os.Open(path)
	if err != nil {
		return Keys{}, fmt.Errorf("the key file cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return Keys{}, fmt.Errorf("the key file cannot be read: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(nearjson.TrimBOM(text))))
	if err != nil || len(key) != KeySize {
		return Keys{}, fmt.Errorf("the key file %s does not hold %d hexadecimal digits, as `openssl rand -hex %d` prints them", path, 2*KeySize, KeySize)
	}
	return NewKeys(key)
}

// CreateKey creates a key file with a random key that only the file's owner may read, and
// returns the key. If the file exists, CreateKey returns its key, so that processes that
// start at the same time get the same key.
func CreateKey(path string) (Keys, error) {
	if err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return Keys{}, fmt.Errorf("the key file cannot be created: %w", err)
	}
	return LoadKey(path)
}

func createKey(path string) error {
	if _, err := os.Stat(path); err == nil {
		return fs.ErrExist
	}
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails
	return durable.CreateWhole(path, []byte(hex.EncodeToString(key)+"\n"))
}
