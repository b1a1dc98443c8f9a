package term

import (
	"context"
	"fmt"
	"io"
	"runtime"
)

// Input returns standard input, for a command that reads what such as "the rows" there. A
// person at a terminal is told so before the first read. The end of ctx ends every read,
// with the cause of ctx.
func (std IO) Input(ctx context.Context, what string) io.Reader {
	return &input{ctx: ctx, std: std, what: what}
}

type input struct {
	ctx  context.Context
	std  IO
	what string
	pipe *io.PipeReader // nil before the first read
}

// Read implements [io.Reader].
func (in *input) Read(p []byte) (int, error) {
	if in.pipe == nil {
		in.begin()
	}
	return in.pipe.Read(p)
}

// begin reads standard input in the background, because that cannot be cancelled.
func (in *input) begin() {
	if IsTerminal(in.std.In) {
		fmt.Fprintf(in.std.Err, "Type or paste %s.\n%s on a line of its own ends the input.\n", in.what, endOfInput())
	}
	reader, writer := io.Pipe()
	in.pipe = reader
	stop := context.AfterFunc(in.ctx, func() { _ = writer.CloseWithError(context.Cause(in.ctx)) })
	go func() {
		defer stop()
		_, err := io.Copy(writer, in.std.In)
		_ = writer.CloseWithError(err)
	}()
}

// endOfInput returns the keys that end the input of a terminal.
func endOfInput() string {
	if runtime.GOOS == "windows" {
		return "Ctrl-Z and Enter"
	}
	return "Ctrl-D"
}
