package abuse

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// restAttacks is the list of attacks on the REST listener in docs/abuse.md, in its
// order. Their streams are connections, but for those over HTTP/2.
var restAttacks = []attack{
	{name: "idle connections", many: 60, few: 4, streams: 66, fewStreams: 25, spread: true, run: connections("")},
	{name: "headers of 20 KiB without an end", many: 60, few: 4, streams: 66, fewStreams: 25, spread: true, run: connections(
		"POST " + copyPath + " HTTP/1.1\r\nHost: digate\r\nX-Much: " + strings.Repeat("~", 20<<10),
	)},
	{name: "bodies of 4 MiB without an end", many: 60, few: 4, streams: 5, fewStreams: 2, spread: true, run: connections(fmt.Sprintf(
		"POST %s HTTP/1.1\r\nHost: digate\r\nAuthorization: Bearer made-up\r\nContent-Length: %d\r\n\r\n%s", copyPath, 4<<20, strings.Repeat(" ", 4<<20-1<<10),
	))},
	{name: "HTTP/2 requests without their body", many: 60, few: 4, streams: 1000, fewStreams: 250, spread: true, run: requests(65535, false)},
	{name: "HTTP/2 responses left unread", many: 60, few: 4, streams: 1000, fewStreams: 250, spread: true, run: requests(0, true)},
	{name: "pipelined requests, responses left unread", many: 60, few: 4, streams: 5, fewStreams: 2, spread: true, run: pipelines},
}

// connections opens f.streams connections, writes the text on each, and waits for the
// server to close it, to open another.
func connections(text string) func(*front, int) {
	return func(f *front, _ int) {
		f.each(func(conn net.Conn) {
			if _, err := io.WriteString(conn, text); err == nil {
				f.done.Add(1)
			}
			_, _ = io.Copy(io.Discard, conn)
		})
	}
}

// pipelines writes 2,000 requests on a connection and reads nothing.
func pipelines(f *front, _ int) {
	requests := strings.Repeat("POST "+copyPath+" HTTP/1.1\r\nHost: digate\r\nContent-Length: 2\r\n\r\n{}", 2000)
	f.each(func(conn net.Conn) {
		if _, err := io.WriteString(conn, requests); err == nil {
			f.done.Add(1)
		}
		<-f.ctx.Done()
	})
}

// each holds f.streams connections at a time until the context ends, each of which do
// has until it returns.
func (f *front) each(do func(net.Conn)) {
	var all sync.WaitGroup
	for range f.streams {
		all.Go(func() {
			for f.ctx.Err() == nil {
				conn, err := f.dial(cmp.Or(f.protocol, "http/1.1"))
				if err == nil {
					stop := context.AfterFunc(f.ctx, func() { _ = conn.Close() })
					do(conn)
					stop()
					_ = conn.Close()
				}
				f.pause(50 * time.Millisecond)
			}
		})
	}
	all.Wait()
}

// requests opens f.streams streams of HTTP/2 with a window for each response. A
// request that ends has an empty body; of any other the body never comes.
func requests(window uint32, end bool) func(*front, int) {
	return func(f *front, n int) {
		f.meeting(window, func(s *stranger) error {
			for range f.streams {
				if err := s.send(func() error {
					_, err := s.open(s.header(copyPath, fmt.Sprintf("made-up-%d", n)), end)
					return err
				}); err != nil {
					return err
				}
				f.done.Add(1)
			}
			return nil
		})
	}
}
