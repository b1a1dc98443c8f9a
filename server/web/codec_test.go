package web

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"connectrpc.com/connect"
)

// A gzip file passes as it is, however it arrives; anything else could not be told from a
// message that is not compressed.
func TestAsIs_PassesGzipAloneAndAsItIs(t *testing.T) {
	t.Parallel()
	file := gzipMagic + "\x08 whatever follows"
	a := new(asIs)
	for range 2 { // connect-go uses it again
		if err := a.Reset(iotest.OneByteReader(strings.NewReader(file))); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(iotest.OneByteReader(a))
		if err != nil || string(got) != file {
			t.Errorf("got %q, %v", got, err)
		}
	}
	for _, text := range []string{"", "\x1f", "\x1f\x8c", "{}", "\x0a\x01a"} {
		_ = a.Reset(strings.NewReader(text))
		if got, err := io.ReadAll(a); connect.CodeOf(err) != connect.CodeInvalidArgument || len(got) > 0 {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}

func TestUnaryConn_HasOneRequestAndOneResponse(t *testing.T) {
	t.Parallel()
	u := &unaryConn{request: &frame{request: []byte("a")}}
	var f frame
	if err := u.Receive(&f); err != nil || string(f.request) != "a" {
		t.Errorf("got %q, %v", f.request, err)
	}
	if err := u.Receive(&f); !errors.Is(err, io.EOF) {
		t.Errorf("got %v behind the request, want EOF", err)
	}
	if err := u.Send(new(frame)); err != nil {
		t.Error(err)
	}
	if err := u.Send(new(frame)); err == nil {
		t.Error("a second response was taken")
	}
}
