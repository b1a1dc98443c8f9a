package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// IsTerminal reports whether r is a terminal.
func IsTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Confirm asks a yes-or-no question and returns nil for a yes. Everything else
// is an error that begins with refusal: "no" and the end of the input are a
// refusal, and so is the end of ctx.
func Confirm(ctx context.Context, std IO, question, refusal string) error {
	fmt.Fprintf(std.Err, "%s [y/N] ", Printable(question))
	reply, err := readLine(ctx, std.In)
	if err != nil {
		fmt.Fprintln(std.Err)
		return fmt.Errorf("%s: %w", refusal, err)
	}
	switch strings.ToLower(strings.TrimSpace(reply)) {
	case "y", "yes":
		return nil
	}
	return errors.New(refusal)
}

// Ask asks a question and returns the reply in lower case, without the blanks around
// it. The end of the input is an empty reply; the end of ctx is an error.
func Ask(ctx context.Context, std IO, question string) (string, error) {
	fmt.Fprint(std.Err, Printable(question))
	reply, err := readLine(ctx, std.In)
	if err != nil {
		fmt.Fprintln(std.Err)
		return "", err
	}
	return strings.ToLower(strings.TrimSpace(reply)), nil
}

// maxLine is the longest reply that is read, in bytes.
const maxLine = 1 << 10

// readLine returns the next line, or an error when ctx ends. In that case the
// read goes on in the background, because it cannot be cancelled.
func readLine(ctx context.Context, r io.Reader) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(io.LimitReader(r, maxLine)).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil // a reply may end without a newline
		}
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-ctx.Done():
		return "", errors.New("interrupted")
	}
}
