package systemd

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// FuzzSocketNames reads any number and names of sockets. Names that pass are known, each
// once, and as many as there are sockets: a number alone takes no memory.
func FuzzSocketNames(f *testing.F) {
	for _, seed := range [][2]string{
		{"1", "grpc"}, {"2", "grpc:http"}, {"3", "admin:grpc:http"}, {"2", "grpc:grpc"}, {"2", "grpc"}, {"1", ""}, {"0", ""},
		{"-1", "grpc"}, {"9223372036854775807", "grpc"}, {"1e3", "grpc"}, {"1", "unknown"}, {"2", ":"}, {"1", "gr\x00pc"},
	} {
		f.Add(seed[0], seed[1])
	}
	known := []string{"grpc", "http", "admin"}
	f.Fuzz(func(t *testing.T, count, names string) {
		handed, err := socketNames(count, names, known)
		if err != nil {
			if handed != nil {
				t.Fatalf("%q with %v", handed, err)
			}
			return
		}
		if n, err := strconv.Atoi(count); err != nil || n != len(handed) || strings.Join(handed, ":") != names {
			t.Fatalf("%s sockets named %q are %q", count, names, handed)
		}
		for i, name := range handed {
			if !slices.Contains(known, name) || slices.Contains(handed[:i], name) {
				t.Fatalf("%q is in %q", name, handed)
			}
		}
	})
}
