package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/socket"
)

// listen opens a listener, and returns its port, or the path of its socket.
func listen(ctx context.Context, addr string, mode fs.FileMode) (ln net.Listener, port string, err error) {
	if path, ok := socket.Path(addr); ok {
		ln, err = socket.Listen(ctx, path, mode)
		return ln, path, err
	}
	_, port, _ = net.SplitHostPort(addr)
	ln, err = new(net.ListenConfig).Listen(ctx, "tcp", addr)
	return ln, port, err
}

// examineListeners opens the listeners of a server, and closes them.
func examineListeners(ctx context.Context, a *config.Addresses) finding {
	var open []net.Listener
	defer func() {
		for _, ln := range open {
			_ = ln.Close()
		}
	}()
	of := make(map[string]string) // the flag that opened a port
	var taken, wrong []string
	for _, l := range []struct{ flag, addr string }{{"--grpc-addr", a.GRPCAddr}, {"--http-addr", a.HTTPAddr}, {"--admin-addr", a.AdminAddr}} {
		ln, port, err := listen(ctx, l.addr, a.Mode())
		switch {
		case err == nil:
			open = append(open, ln)
			of[port] = l.flag
		case errors.Is(err, syscall.EADDRINUSE) && of[port] != "":
			wrong = append(wrong, fmt.Sprintf("%s %s is the port of %s", l.flag, l.addr, of[port]))
		case errors.Is(err, syscall.EADDRINUSE):
			taken = append(taken, l.flag+" "+l.addr)
		default:
			wrong = append(wrong, fmt.Sprintf("%s %s: %s", l.flag, l.addr, netReason(err)))
		}
	}
	switch {
	case wrong != nil:
		return failed(strings.Join(wrong, "; "), "serve does not start like that: correct the address, or run it as a user who may use it")
	case taken != nil:
		return warn("in use: "+strings.Join(taken, ", "), "that is well if it is the digate that runs here; otherwise serve does not start")
	default:
		return ok("%s, %s and %s are free", a.GRPCAddr, a.HTTPAddr, a.AdminAddr)
	}
}
