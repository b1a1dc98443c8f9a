package socket_test

import (
	"io/fs"
	"testing"

	"github.com/digate/digate/server/socket"
)

// FuzzAddress reads any address and mode of a socket: no mode has more than permissions,
// and a path that passes is one that a system takes.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"unix:/run/digate.sock", "unix:", "unix:@abstract", ":9090", "UNIX:/x", "unix:a\x00b"} {
		f.Add(s, "0660")
	}
	f.Add("", "0o660")
	f.Add("", "01777")
	f.Fuzz(func(t *testing.T, addr, mode string) {
		if m, err := socket.ParseMode(mode); err == nil && m&^fs.ModePerm != 0 || err != nil && m != 0 {
			t.Errorf("%q is the mode %v, %v", mode, m, err)
		}
		path, ok := socket.Path(addr)
		if ok != (len(addr) >= len(socket.Prefix) && addr[:len(socket.Prefix)] == socket.Prefix) {
			t.Errorf("%q: %v", addr, ok)
		}
		if ok && socket.CheckPath(path) == nil && (path == "" || len(path) > 107) {
			t.Errorf("%q is no path of a socket", path)
		}
	})
}
