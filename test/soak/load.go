package soak

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/digate/digate/test/await"
)

const (
	// settleTime is how long digate may take to release everything. Its longest wait,
	// for a handshake, is 5 s.
	settleTime = 20 * time.Second
	// goroutineAllowance covers connections that are closing, and goroutines that a
	// first failure starts for good.
	goroutineAllowance = 4
	// heapAllowance covers what digate keeps on purpose: series of metrics, kinds of
	// drift, TLS sessions, and buffers that grew. recordAllowance is for each call with
	// a request id, whose record the ledger in memory keeps, and for its token.
	heapAllowance   = 6 << 20
	recordAllowance = 2 << 10
)

// load makes the calls. It takes digate's footprint before and after.
func (r *runner) load() error {
	if err := r.call(0, r.script.warmUps()); err != nil {
		return err
	}
	for _, s := range r.servers {
		if err := await.Poll(settleTime, nil, func() (err error) {
			if !r.line.idle() {
				return errors.New("the connections of the first calls stay open")
			}
			last := s.before
			s.before, err = footprintOf(s.Server)
			if err == nil && (last.goroutines != s.before.goroutines || last.sockets != s.before.sockets) {
				err = errors.New("digate does not come to rest after its first calls")
			}
			return err
		}); err != nil {
			return err
		}
	}
	r.line.begin()
	began := time.Now()
	err := r.call(r.script.warmUps(), r.calls)
	r.took = time.Since(began)
	return err
}

// call makes the calls from first up to last, some at once, and closes its
// connections.
func (r *runner) call(first, last int) error {
	crowd, err := newCrowd(r.script, r.servers)
	if err != nil {
		return err
	}
	defer crowd.close()
	var (
		wg     sync.WaitGroup
		next   atomic.Int64
		mu     sync.Mutex
		failed error
	)
	ctx := context.Background()
	for range r.atOnce {
		wg.Go(func() {
			for {
				call := first + int(next.Add(1)) - 1
				if call >= last {
					return
				}
				if r.script.restarts(call) {
					wg.Go(func() {
						err := r.line.restart(away)
						mu.Lock()
						defer mu.Unlock()
						failed = errors.Join(failed, err)
					})
				}
				a := crowd.call(ctx, call)
				if a.verdict == notSent {
					r.line.pause(r.script.pause(call))
				}
				mu.Lock()
				r.ends = append(r.ends, a)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failed
}

// inspect waits until each digate is idle and ends it. It notes what digate still
// holds, and the calls that it did not count or log. The line stays up meanwhile, with
// every hanging connection.
func (r *runner) inspect() error {
	for _, s := range r.servers {
		if err := r.inspectServer(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) inspectServer(d *server) error {
	note := func(format string, args ...any) { r.wrong = append(r.wrong, fmt.Sprintf(format, args...)) }
	if err := await.Poll(settleTime, nil, func() (err error) {
		if d.after, err = footprintOf(d.Server); err != nil {
			return err
		}
		return leftBehind(d.before, d.after, r.script.heapAllowance())
	}); err != nil {
		stacks, _ := d.Get("/debug/pprof/goroutine?debug=1")
		note("%v\n%.8000s", err, stacks)
	}
	var started, ended float64
	if err := await.Poll(settleTime, nil, func() (err error) {
		if started, err = d.Metric("digate_calls_started_total"); err != nil {
			return err
		}
		if ended, err = d.Metric("digate_calls_total"); err == nil && (started != ended || ended == 0) {
			err = fmt.Errorf("%.0f calls began and %.0f ended", started, ended)
		}
		return err
	}); err != nil {
		note("%v", err)
	}
	// Where Diga never accepted a token, its callers are strangers, whose calls need
	// not all have a line.
	omitted, err := d.Metric("digate_log_lines_omitted_total")
	if err != nil {
		return err
	}
	if err := d.Stop(); err != nil {
		note("%v", err)
	}
	lines, bad, err := readLog(d.log)
	if err != nil {
		return err
	}
	if lines+int(omitted) != int(ended) {
		note("%.0f calls ended, %d have an access line and %.0f need none", ended, lines, omitted)
	}
	for _, text := range bad[:min(len(bad), 50)] {
		note("in the log: %s", text)
	}
	return nil
}
