package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// IsTerminal reports whether a standard stream is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// CannotAsk returns why no person can be asked, or nil. A person sees the question, which
// is written to standard error, and types the reply.
func (std IO) CannotAsk() error {
	switch {
	case !IsTerminal(std.In):
		return errors.New("standard input is not a terminal, so nobody can be asked")
	case !IsTerminal(std.Err):
		return errors.New("standard error is not a terminal, so nobody can be asked")
	}
	return nil
}

// Confirm asks a yes-or-no question and returns nil for a yes. Everything else
// is an error that begins with refusal: "no" and the end of the input are a
// refusal, and so is the end of ctx.
func Confirm(ctx context.Context, std IO, question, refusal string) error {
	reply, err := Ask(ctx, std, question+" [y/N] ")
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", refusal, err)
	case reply == "y" || reply == "yes":
		return nil
	}
	return errors.New(refusal)
}

// Ask is [AskText] with the reply in lower case.
func Ask(ctx context.Context, std IO, question string) (string, error) {
	reply, err := AskText(ctx, std, question)
	return strings.ToLower(reply), err
}

// AskText asks a question and returns the reply without the blanks around it. The end of
// the input is an empty reply; the end of ctx is an error.
func AskText(ctx context.Context, std IO, question string) (string, error) {
	fmt.Fprint(std.Err, Printable(question))
	reply, err := readLine(ctx, std.In, maxLine)
	if err != nil || !strings.HasSuffix(reply, "\n") && IsTerminal(std.In) { // nobody pressed Enter
		fmt.Fprintln(std.Err)
	}
	return strings.TrimSpace(reply), err
}

// maxLine is the longest reply that is read, in bytes. The rest of a longer one is lost.
const maxLine = 1 << 10

// readLine returns the next line, or an error when ctx ends. It takes nothing of the line
// after it, which may be the reply to the next question.
func readLine(ctx context.Context, r io.Reader, most int) (string, error) {
	return untilEnd(ctx, func() (string, error) {
		var line []byte
		for {
			b, err := readByte(r)
			switch {
			case errors.Is(err, io.EOF): // a reply may end without a newline
				return string(line), nil
			case err != nil:
				return "", err
			case b == '\n':
				return string(append(line, b)), nil
			case len(line) < most:
				line = append(line, b)
			}
		}
	})
}

func readByte(r io.Reader) (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	return b[0], err
}

// untilEnd returns what read returns, or an error when ctx ends. In that case read goes
// on in the background, because it cannot be cancelled.
func untilEnd(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return "", errors.New("interrupted")
	}
}
