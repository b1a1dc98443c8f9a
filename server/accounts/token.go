package accounts

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/digate/digate/server/secret"
)

// maxToken is the maximum size of a token, in bytes.
const maxToken = 8 << 10

// Token is a bearer token for Diga that is read from a file or an environment variable.
// It is safe for concurrent use.
type Token struct {
	ref     string
	file    string // path of the file; empty for a variable
	env     string
	current atomic.Pointer[secret.String]
}

var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// NewToken returns the token at a reference: file:///PATH or env://NAME. It does not read
// the token. The error does not quote the reference, which may be a token by mistake.
func NewToken(ref string) (*Token, error) {
	if name, ok := strings.CutPrefix(ref, "env://"); ok {
		if !variablePattern.MatchString(name) {
			return nil, errors.New("must be env:// and the name of an environment variable")
		}
		return &Token{ref: ref, env: name}, nil
	}
	u, err := url.Parse(ref)
	if err != nil || u.Scheme != "file" {
		return nil, errors.New("must be a reference, file:///PATH or env://NAME, and not the token")
	}
	if u.Host != "" || u.RawQuery != "" || u.Fragment != "" || !filepath.IsAbs(filepath.FromSlash(u.Path)) {
		return nil, errors.New("must be file:// and an absolute path: file:///PATH")
	}
	return &Token{ref: ref, file: filepath.FromSlash(u.Path)}, nil
}

// Reveal returns the token as last read, or an empty one if it was never read.
func (t *Token) Reveal() secret.String {
	if s := t.current.Load(); s != nil {
		return *s
	}
	return secret.String{}
}

// Read reads the token again and reports whether it changed. If Read fails, the previous
// token stays. No error quotes the token.
func (t *Token) Read() (changed bool, err error) {
	var text string
	if t.env != "" {
		var ok bool
		if text, ok = os.LookupEnv(t.env); !ok {
			return false, fmt.Errorf("the variable %s is not set", t.env)
		}
	} else if text, err = readFile(t.file, maxToken); err != nil {
		return false, err
	}
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	switch {
	case text == "":
		return false, fmt.Errorf("%s is empty", t.ref)
	case len(text) > maxToken:
		return false, fmt.Errorf("%s is larger than %d bytes", t.ref, maxToken)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return false, fmt.Errorf("%s is not one word of printable ASCII, as a bearer token is", t.ref)
	}
	if old := t.Reveal(); old.Reveal() == text {
		return false, nil
	}
	token := secret.New(text)
	t.current.Store(&token)
	return true, nil
}

// readFile reads a file of limited size. It reads a little more than the limit, so that
// the caller can see that the file is too large.
func readFile(path string, most int) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() { // opening a named pipe would wait for a writer
		return "", fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, int64(most)+16))
	return string(b), err
}
