package server

import (
	"math"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// Some clients fail the calls that they are about to send when they learn that the
// connection takes no more (GOAWAY): these calls never leave them, and fail without
// a verdict. A client that waits for its responses is about to send nothing. So a
// farewell holds the responses back until nothing was read for quietBefore, says
// that the server is going, and holds them back for quietAfter more, until the
// client has taken notice.
const (
	quietBefore = 40 * time.Millisecond
	quietAfter  = 50 * time.Millisecond
	// A client that sends without end is not waited for any longer.
	longestQuiet = 200 * time.Millisecond
)

// farewell tells the clients of all connections that the server is going, each while
// it waits for responses. gRPC's own drain comes after that.
func (c *connections) farewell() {
	var wg sync.WaitGroup
	c.mu.Lock()
	for conn := range c.open {
		wg.Go(conn.farewell)
	}
	c.mu.Unlock()
	wg.Wait()
}

func (c *watchedConn) farewell() {
	select {
	case c.writing <- struct{}{}:
	case <-time.After(longestQuiet):
		return // the client takes nothing of a response
	}
	defer func() { <-c.writing }()
	if !c.out.between() {
		return // within a frame: gRPC says the same in a moment
	}
	began := time.Now()
	for quiet := time.Duration(0); quiet < quietBefore && time.Since(began) < longestQuiet; {
		time.Sleep(quietBefore - quiet)
		quiet = min(time.Since(began), time.Since(time.Unix(0, c.lastRead.Load())))
	}
	// The last stream's id is the highest: what the client has sent meanwhile is served.
	if http2.NewFramer(c.Conn, nil).WriteGoAway(math.MaxInt32, http2.ErrCodeNo, nil) == nil {
		time.Sleep(quietAfter)
	}
}
