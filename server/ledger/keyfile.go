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

// maxKeyFile bounds what is read of a key file, in bytes.
const maxKeyFile = 1 << 10

// RandomKeys returns keys that nobody else has, and that end with the process.
func RandomKeys() Keys {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails
	keys, _ := NewKeys(key)
	return keys
}

// LoadKey reads a key file: 64 hexadecimal digits, as `openssl rand -hex 32`
// prints them, with or without space around. Errors never quote what is in it.
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

// CreateKey makes a key file with a random key that only its owner may read, and
// returns what it holds. Where there is a file already it returns what that one
// holds, so that those who start at once end with the same key.
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
