package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/digate/digate/cmd/digate/internal/file"
)

// ReadSecret reads a secret from a file. The path - means standard input; if that is a
// terminal, ReadSecret asks there for what the secret is, such as "API key", and nothing
// that is typed is shown. No error quotes the secret.
func ReadSecret(ctx context.Context, std IO, path, what string) (string, error) {
	if path != "-" || !IsTerminal(std.In) {
		return file.ReadSecret(path, std.In)
	}
	if err := std.CannotAsk(); err != nil {
		return "", fmt.Errorf("%w; name a file, or send the secret to standard input", err)
	}
	secret, err := AskSecret(ctx, std, what+" (not shown): ")
	if err == nil && secret == "" {
		err = errors.New("is empty")
	}
	return secret, err
}

// AskSecret asks a question at a terminal and returns the reply, of which nothing is
// shown. The end of ctx is an error. However AskSecret ends, the terminal then shows what
// is typed.
func AskSecret(ctx context.Context, std IO, question string) (string, error) {
	in, ok := std.In.(*os.File)
	if !ok {
		return "", errors.New("standard input is no terminal")
	}
	ask := func() { fmt.Fprint(std.Err, Printable(question)) }
	shown, err := hide(in, ask)
	if err != nil {
		return "", err
	}
	ask()
	secret, err := untilEnd(ctx, func() (string, error) { return readHidden(in) })
	shown()
	fmt.Fprintln(std.Err)
	return secret, err
}

// The keys that a terminal does not handle while it hides what is typed: there, lines may
// be as long as the secret, where they end after a kilobyte or four otherwise.
const (
	keyEnd       = 0x04 // Ctrl-D
	keyErase     = 0x7f // Backspace
	keyEraseToo  = '\b'
	keyEraseLine = 0x15 // Ctrl-U
)

// readHidden reads a line of keys.
func readHidden(r io.Reader) (string, error) {
	var line []byte
	for {
		key, err := readByte(r)
		if errors.Is(err, io.EOF) {
			key, err = keyEnd, nil
		}
		switch {
		case err != nil:
			return "", err
		case key == '\r' || key == '\n' || key == keyEnd:
			return checkTyped(string(line))
		case key == keyErase || key == keyEraseToo:
			_, size := utf8.DecodeLastRune(line)
			line = line[:len(line)-size]
		case key == keyEraseLine:
			line = nil
		case len(line) <= file.MaxSecret:
			line = append(line, key)
		}
	}
}

// checkTyped refuses what nobody meant to type.
func checkTyped(secret string) (string, error) {
	switch {
	case len(secret) > file.MaxSecret:
		return "", fmt.Errorf("is larger than %d bytes", file.MaxSecret)
	case !utf8.ValidString(secret):
		return "", errors.New("is not UTF-8")
	case strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' }):
		return "", errors.New("has a control character, such as that of an arrow key")
	}
	return secret, nil
}
