package connections

import (
	"log/slog"
	"math"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// leaver is a client of a connection whose server says that it ends.
type leaver struct {
	acksAfter time.Duration // how long it takes to acknowledge a ping, 0 for never
	callsFor  time.Duration // how long it begins calls, one every 10 ms
}

// seen is a frame that the client got, and when.
type seen struct {
	kind http2.FrameType
	at   time.Duration
}

// leave lets the server say that the connection ends, and then respond to three
// calls. It returns what the client saw of that, but for the pings, and when it began
// its last call.
func (l leaver) leave(t *testing.T) (got []seen, lastCall time.Duration) {
	t.Helper()
	client, server := net.Pipe()
	c := newConnections(newPenalties(slog.New(slog.DiscardHandler)), Config{Arrivals: NewArrivals(0)}).watch(server)
	began := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 100)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
	})
	acks := make(chan [8]byte, 100)
	wg.Go(func() { // the calls, and the acks
		f := http2.NewFramer(client, nil)
		_, _ = client.Write([]byte(http2.ClientPreface))
		for id := uint32(1); time.Since(began) < l.callsFor; id += 2 {
			lastCall = time.Since(began)
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndHeaders: true})
			time.Sleep(10 * time.Millisecond)
		}
		for data := range acks {
			_ = f.WritePing(true, data)
		}
	})
	wg.Go(func() {
		defer func() { _ = c.Close() }()
		f := http2.NewFramer(c, nil)
		_ = f.WriteData(1, false, []byte("part"))
		batch := &collect{}
		gathered := http2.NewFramer(batch, nil)
		_ = gathered.WriteWindowUpdate(0, 1)
		_ = gathered.WriteGoAway(math.MaxInt32, http2.ErrCodeNo, []byte("graceful_stop"))
		_ = gathered.WritePing(false, [8]byte{})
		if n, err := c.Write(*batch); n != len(*batch) || err != nil {
			t.Errorf("wrote %d of %d bytes: %v", n, len(*batch), err)
		}
		*batch = nil
		for id := uint32(1); id < 7; id += 2 {
			_ = gathered.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndHeaders: true, EndStream: true})
		}
		_, _ = c.Write(*batch)
	})
	f := http2.NewFramer(nil, client)
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			break
		}
		if ping, ok := frame.(*http2.PingFrame); !ok {
			got = append(got, seen{frame.Header().Type, time.Since(began)})
		} else if l.acksAfter > 0 {
			wg.Go(func() {
				time.Sleep(l.acksAfter)
				acks <- ping.Data
			})
		}
	}
	_ = client.Close()
	time.Sleep(time.Second) // all acks
	close(acks)
	wg.Wait()
	return got, lastCall
}

// collect gathers what is written.
type collect []byte

func (c *collect) Write(p []byte) (int, error) {
	*c = append(*c, p...)
	return len(p), nil
}

// A client learns that a connection ends while it waits for responses, then gets one,
// and the others later.
func TestFarewell_ClientLearnsOfIt_WhileItBeginsNoCall(t *testing.T) {
	for name, l := range map[string]leaver{
		"waits":           {acksAfter: time.Millisecond},
		"sends for a bit": {acksAfter: time.Millisecond, callsFor: 105 * time.Millisecond},
		"is slow":         {acksAfter: 70 * time.Millisecond, callsFor: 35 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			got, lastCall := l.leave(t)
			var kinds []http2.FrameType
			for _, s := range got {
				kinds = append(kinds, s.kind)
			}
			if want := []http2.FrameType{http2.FrameData, http2.FrameWindowUpdate, http2.FrameGoAway, http2.FrameHeaders, http2.FrameHeaders, http2.FrameHeaders}; !slices.Equal(kinds, want) {
				t.Fatalf("%s: the client got %v, want %v", name, kinds, want)
			}
			hush := hushRounds * max(hushRound, l.acksAfter)
			if told, first, second, third := got[2].at, got[3].at, got[4].at, got[5].at; told < lastCall+hush || first < told+hush || second < first+hush || third != second || third > longestHush {
				t.Errorf("%s: told after %v, its last call after %v; responses after %v, %v, %v", name, told, lastCall, first, second, third)
			}
		})
	}
}

// A client that never stops sending, or that acknowledges nothing, does not hold the
// end of its connection up.
func TestFarewell_ClientThatIsNeverReady_DoesNotHoldItUp(t *testing.T) {
	for name, l := range map[string]leaver{"never stops": {callsFor: 10 * time.Second}, "acknowledges nothing": {}} {
		synctest.Test(t, func(t *testing.T) {
			got, _ := l.leave(t)
			if last := got[len(got)-1]; last.kind != http2.FrameHeaders || last.at > 3*(longestHush+2*hushRound) {
				t.Errorf("%s: the last response came after %v: %v", name, last.at, got)
			}
		})
	}
}

// A connection that breaks meanwhile ends at once.
func TestFarewell_ConnectionThatBreaks_EndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		c := newConnections(newPenalties(slog.New(slog.DiscardHandler)), Config{Arrivals: NewArrivals(0)}).watch(server)
		go func() {
			_, _ = c.Read(make([]byte, 100))
		}()
		go func() {
			_, _ = client.Read(make([]byte, 100))
			_ = client.Close()
		}()
		began := time.Now()
		if err := http2.NewFramer(c, nil).WriteGoAway(math.MaxInt32, http2.ErrCodeNo, nil); err == nil || time.Since(began) > 2*hushRound {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		_ = c.Close()
	})
}
