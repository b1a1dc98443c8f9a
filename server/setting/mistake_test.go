package setting_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/digate/digate/server/setting"
)

func TestOfPath_WrongPath_IsAMistake(t *testing.T) {
	t.Parallel()
	listen := func(errno syscall.Errno) error {
		return &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", errno)}
	}
	for _, row := range []struct {
		err  error
		want bool
	}{
		{&fs.PathError{Op: "open", Path: "a", Err: syscall.ENOENT}, true},
		{&fs.PathError{Op: "open", Path: "a", Err: syscall.EACCES}, true},
		{&fs.PathError{Op: "open", Path: "a/b", Err: syscall.ENOTDIR}, true},
		{&fs.PathError{Op: "open", Path: "a", Err: syscall.EISDIR}, true},
		{&fs.PathError{Op: "write", Path: "a", Err: syscall.ENOSPC}, false},
		{&fs.PathError{Op: "read", Path: "a", Err: syscall.EIO}, false},
		{&fs.PathError{Op: "open", Path: "a", Err: syscall.EMFILE}, false},
		{listen(syscall.EACCES), true}, // a port below 1024
		{listen(syscall.EADDRINUSE), false},
		{listen(syscall.EADDRNOTAVAIL), false},
		{&net.DNSError{Name: "a", Err: "no such host", IsNotFound: true}, false},
		{context.DeadlineExceeded, false},
		{nil, false},
	} {
		wrapped := row.err
		if wrapped != nil {
			wrapped = fmt.Errorf("--flag: %w", row.err)
		}
		got := setting.OfPath(wrapped)
		if setting.IsMistake(got) != row.want || !errors.Is(got, row.err) {
			t.Errorf("%v: a mistake is %t, want %t; it wraps %t", row.err, setting.IsMistake(got), row.want, errors.Is(got, row.err))
		}
		if row.err != nil && got.Error() != wrapped.Error() {
			t.Errorf("got %v", got)
		}
	}
	if setting.Mistaken(nil) != nil {
		t.Error("nothing is a mistake")
	}
}
