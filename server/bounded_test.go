package server_test

import (
	"fmt"
	"net"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/test/await"
)

// awaitMetric waits until a scrape has the line.
func (d *digate) awaitMetric(t *testing.T, line string) {
	t.Helper()
	must(t, await.Poll(await.Patience, nil, func() error {
		if !strings.Contains(d.scrape(t), "\n"+line+"\n") {
			return fmt.Errorf("no %s", line)
		}
		return nil
	}))
}

// An operator sees how near callers are to the bounds, before one is refused.
func TestBounds_WhatCallersHold_IsShownBesideItsLimit(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) {
		c.MaxConnections, c.MaxWaitingStreams = 77, 256
	})
	d.awaitMetric(t, `digate_connections{listener="rest"} 0`)
	conn, err := net.Dial("tcp", d.HTTPAddr().String())
	must(t, err)
	d.awaitMetric(t, `digate_connections{listener="rest"} 1`)
	must(t, conn.Close())
	d.awaitMetric(t, `digate_connections{listener="rest"} 0`)
	d.awaitMetric(t, `digate_connections_limit{listener="rest"} 77`)

	d.awaitMetric(t, `digate_waiting_streams{callers="strangers"} 0`)
	_ = d.bulk(t.Context(), t)
	d.awaitMetric(t, `digate_waiting_streams{callers="strangers"} 4`)
	d.awaitMetric(t, `digate_waiting_streams_limit{callers="strangers"} 128`)
	d.awaitMetric(t, `digate_waiting_streams_limit{callers="known"} 256`)
	for range 8 { // an address has an eighth, of which a stream takes four
		_ = d.bulk(t.Context(), t)
	}
	refused := regexp.MustCompile(`(?m)^digate_waiting_streams_refused_total\{callers="strangers"\} [1-9]`)
	must(t, await.Poll(await.Patience, nil, func() error {
		if text := d.scrape(t); !refused.MatchString(text) {
			return fmt.Errorf("no stream was refused: %q", regexp.MustCompile("(?m)^digate_waiting_streams.*").FindAllString(text, -1))
		}
		return nil
	}))
	d.awaitMetric(t, `digate_request_memory_limit_bytes 2.68435456e+08`)
	d.awaitMetric(t, `digate_resets_closed_total 0`)
	d.awaitMetric(t, `digate_decompressions 0`)
	d.awaitMetric(t, `digate_decompressions_queued 0`)
	d.awaitMetric(t, fmt.Sprintf(`digate_decompressions_limit %d`, max(runtime.GOMAXPROCS(0)/2, 1)))
}

// So it is with what has arrived of a message that is not whole, and with handshakes.
func TestBounds_WhatIsNotWhole_IsShownBesideItsLimit(t *testing.T) {
	t.Parallel()
	d := start(t, newScripted(t).url(), func(c *config.Config) {
		c.MaxDecodedBytes, c.MaxRequestBytes, c.MaxConnections = 1<<20, 64<<10, 400
		c.TLS.CertFile, c.TLS.KeyFile = suiteTLS.files()
	})
	d.awaitMetric(t, "digate_arriving_limit_bytes 262144")
	f := dialRaw(t, d.GRPCAddr())
	f.open(1, copyTemplate, false)
	must(t, f.WriteData(1, false, append([]byte{0, 0, 0, 100, 0}, make([]byte, 995)...)))
	d.awaitMetric(t, "digate_arriving_bytes 1128")
	must(t, f.WriteRSTStream(1, http2.ErrCodeCancel))
	d.awaitMetric(t, "digate_arriving_bytes 0")
	d.awaitMetric(t, "digate_arriving_closed_total 0")

	d.awaitMetric(t, `digate_tls_handshakes_limit{listener="rest"} 100`)
	d.awaitMetric(t, `digate_tls_handshakes{listener="rest"} 0`)
	conn, err := net.Dial("tcp", d.HTTPAddr().String())
	must(t, err)
	d.awaitMetric(t, `digate_tls_handshakes{listener="rest"} 1`)
	must(t, conn.Close())
	d.awaitMetric(t, `digate_tls_handshakes{listener="rest"} 0`)
}

// So it is with the connections to Diga, and with what is recorded in the ledger.
func TestBounds_ConnectionsToDiga_AreShownByWhatTheyDo(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	began, release := up.hold(t, respond(201, nil, full))
	d := start(t, up.url(), func(c *config.Config) { c.Upstream.IdleTimeout = time.Second })
	for _, line := range []string{
		`connections{state="in_use"} 0`, `connections{state="idle"} 0`, `connections_awaited 0`, `recording 0`,
		`dials_total{result="connected"} 0`, `dials_total{result="failed"} 0`,
		`connections_closed_total{reason="idle"} 0`, `connections_closed_total{reason="upstream"} 0`, `connections_closed_total{reason="failed"} 0`,
	} {
		d.awaitMetric(t, "digate_upstream_"+line)
	}
	copied := make(chan *apierror.Error, 1)
	go func() {
		_, e := d.copyRPC(t, withID("held"))
		copied <- e
	}()
	<-began
	d.awaitMetric(t, `digate_upstream_connections{state="in_use"} 1`)
	d.awaitMetric(t, `digate_upstream_recording 1`)
	release()
	if e := <-copied; e != nil {
		t.Fatal(e)
	}
	d.awaitMetric(t, `digate_known_callers 1`)
	d.awaitMetric(t, `digate_known_callers_limit 10000`)
	d.awaitMetric(t, `digate_upstream_connections_closed_total{reason="idle"} 1`)
	d.awaitMetric(t, `digate_upstream_connections{state="in_use"} 0`)
	d.awaitMetric(t, `digate_upstream_recording 0`)
	d.awaitMetric(t, `digate_upstream_dials_total{result="connected"} 1`)
}

// The copies of a bulk stream that are under way are those that were begun and did not end.
func TestBounds_CopiesOfABulkStream_AreShownWhileTheyAreUnderWay(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	began, release := up.hold(t, respond(201, nil, full))
	d := start(t, up.url())
	many := d.bulk(t.Context(), t)
	for i := range 2 {
		must(t, many.Send(item(templateID, fmt.Sprint("held-", i))))
		<-began
	}
	must(t, many.CloseSend())
	d.awaitMetric(t, `digate_operations_started_total{kind="bulk_item"} 2`)
	if text := d.scrape(t); strings.Contains(text, "digate_operations_total{") {
		t.Errorf("%q", regexp.MustCompile("(?m)^digate_operations.*").FindAllString(text, -1))
	}
	release()
	if _, _, err := drain(many); err != nil {
		t.Fatal(err)
	}
	d.awaitMetric(t, `digate_operations_total{code="OK",kind="bulk_item",outcome="DONE"} 2`)
}
