package server

import (
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// A client that learns that the server is going while it sends calls may fail them by
// itself, so it learns that while it waits for responses.
func TestFarewell_ClientLearnsOfIt_InASilence(t *testing.T) {
	for name, sends := range map[string]time.Duration{"a client that waits": 0, "a client that sends for a while": 100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			all := newConnections(newPenalties(slog.New(slog.DiscardHandler)), nil)
			c := all.watch(server)
			began := time.Now()
			go func() { // the calls
				buf := make([]byte, 100)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
				}
			}()
			go func() {
				for time.Since(began) < sends {
					_, _ = client.Write([]byte(http2.ClientPreface))
					time.Sleep(10 * time.Millisecond)
				}
			}()
			stopped := make(chan struct{})
			go func() { // the responses
				defer close(stopped)
				f := http2.NewFramer(c, nil)
				for f.WriteData(1, false, nil) == nil {
					time.Sleep(5 * time.Millisecond)
				}
			}()
			go func() {
				time.Sleep(7 * time.Millisecond)
				all.farewell()
			}()
			f := http2.NewFramer(nil, client)
			var last, goAway time.Time
			for n := 0; goAway.IsZero() || n == 0; {
				frame, err := f.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				now := time.Now()
				if frame, ok := frame.(*http2.GoAwayFrame); ok {
					goAway = now
					if quiet := now.Sub(last); quiet < quietBefore || now.Sub(began) < sends || frame.ErrCode != http2.ErrCodeNo || frame.LastStreamID != 1<<31-1 {
						t.Errorf("%s: told after %v, %v after the last response: %v", name, now.Sub(began), quiet, frame)
					}
				} else if !goAway.IsZero() {
					n++
					if quiet := now.Sub(goAway); quiet < quietAfter {
						t.Errorf("%s: a response %v after it", name, quiet)
					}
				}
				last = now
			}
			_ = client.Close()
			_ = c.Close()
			<-stopped
		})
	}
}

// A client that never stops sending, or that takes no response, does not hold the
// drain up.
func TestFarewell_ClientThatIsNeverReady_DoesNotHoldItUp(t *testing.T) {
	for name, takes := range map[string]bool{"never stops": true, "takes no response": false} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			all := newConnections(newPenalties(slog.New(slog.DiscardHandler)), nil)
			c := all.watch(server)
			var wg sync.WaitGroup
			wg.Go(func() {
				buf := make([]byte, 100)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
				}
			})
			wg.Go(func() {
				for {
					if _, err := client.Write([]byte(http2.ClientPreface)); err != nil {
						return
					}
					time.Sleep(time.Millisecond)
				}
			})
			if takes {
				wg.Go(func() { _, _ = http2.NewFramer(nil, client).ReadFrame() })
			} else {
				wg.Go(func() { _ = http2.NewFramer(c, nil).WriteData(1, false, nil) })
				synctest.Wait()
			}
			began := time.Now()
			all.farewell()
			if took := time.Since(began); took > longestQuiet+quietBefore+quietAfter {
				t.Errorf("%s: took %v", name, took)
			}
			_ = client.Close()
			_ = c.Close()
			wg.Wait()
		})
	}
}
