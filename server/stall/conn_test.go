package stall

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A client that reads a little at a time never stalls. It must not stretch a
// response beyond the deadline that the server set for the connection.
func TestConn_SlowReader_IsCutAtTheServersDeadline(t *testing.T) {
	for name, set := range map[string]func(net.Conn, time.Time) error{"write": net.Conn.SetWriteDeadline, "both": net.Conn.SetDeadline} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				c := &conn{Conn: near, timeout: 10 * time.Second}
				begun := time.Now()
				if err := set(c, begun.Add(30*time.Second)); err != nil {
					t.Fatal(err)
				}
				ended := readSlowly(far, 8<<10)
				if _, err := c.Write(make([]byte, 10<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(begun); took != 30*time.Second {
					t.Errorf("cut after %v", took)
				}
				_ = near.Close()
				<-ended
			})
		})
	}
}

func TestConn_Write_LastsWhileTheReaderReadsAndFailsOnceItStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := &conn{Conn: near, timeout: 10 * time.Second}
		ended := readSlowly(far, 8<<10)
		begun := time.Now()
		if n, err := c.Write(make([]byte, 256<<10)); err != nil || n != 256<<10 { // 32 seconds
			t.Errorf("%d bytes, %v", n, err)
		}
		if took := time.Since(begun); took < 30*time.Second {
			t.Errorf("took %v", took)
		}
		_ = near.Close()
		<-ended

		near, far = net.Pipe() // nobody reads
		c = &conn{Conn: near, timeout: 10 * time.Second}
		begun = time.Now()
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != 10*time.Second {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
		_ = far.Close()
	})
}

// A deadline of the server that is far away does not keep a connection of which nothing is
// taken.
func TestConn_StallBeforeTheServersDeadline_IsCutAtTheStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe() // nobody reads
		c := &conn{Conn: near, timeout: 10 * time.Second}
		begun := time.Now()
		if err := c.SetWriteDeadline(begun.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != 10*time.Second {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
		_ = far.Close()
	})
}

// readSlowly reads the given number of bytes a second until the connection ends.
// Then it closes the returned channel.
func readSlowly(c net.Conn, bytes int) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for buf := make([]byte, bytes); ; time.Sleep(time.Second) {
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
	}()
	return ended
}
