package soak

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// settleTime is how long digate may take to release everything. Its longest wait
	// is that for a handshake, 5 s.
	settleTime = 20 * time.Second
	// goroutineAllowance covers connections that are closing, and what a first
	// failure starts for good.
	goroutineAllowance = 4
	// heapAllowance covers what digate keeps on purpose: series of metrics, kinds of
	// drift, TLS sessions, and buffers that grew.
	heapAllowance = 6 << 20
	// warmUps is the number of calls without a fault before digate's footprint is
	// taken.
	warmUps = 8
)

// load makes the calls. It takes digate's footprint before and after.
func (r *runner) load() error {
	if err := r.call(0, warmUps); err != nil {
		return err
	}
	if err := poll(settleTime, func() (err error) {
		if !r.line.idle() {
			return errors.New("the connections of the first calls stay open")
		}
		last := r.before
		r.before, err = r.process.footprint()
		if err == nil && (last.goroutines != r.before.goroutines || last.sockets != r.before.sockets) {
			err = errors.New("digate does not come to rest after its first calls")
		}
		return err
	}); err != nil {
		return err
	}
	r.line.begin()
	began := time.Now()
	err := r.call(warmUps, r.calls)
	r.took = time.Since(began)
	return err
}

// call makes the calls from first up to last, some at once, and closes its
// connections.
func (r *runner) call(first, last int) error {
	crowd, err := newCrowd(r.script, r.process.at)
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

// inspect waits until digate is idle and ends it. It notes what digate still holds,
// and what it did not count or log. The line stays up meanwhile, with every hanging
// connection.
func (r *runner) inspect() error {
	p := r.process
	note := func(format string, args ...any) { r.wrong = append(r.wrong, fmt.Sprintf(format, args...)) }
	if err := poll(settleTime, func() (err error) {
		if r.after, err = p.footprint(); err != nil {
			return err
		}
		return leftBehind(r.before, r.after)
	}); err != nil {
		stacks, _ := p.get("/debug/pprof/goroutine?debug=1")
		note("%v\n%.8000s", err, stacks)
	}
	var started, ended int
	if err := poll(settleTime, func() (err error) {
		if started, err = p.sum("digate_calls_started_total"); err != nil {
			return err
		}
		if ended, err = p.sum("digate_calls_total"); err == nil && (started != ended || ended == 0) {
			err = fmt.Errorf("%d calls began and %d ended", started, ended)
		}
		return err
	}); err != nil {
		note("%v", err)
	}
	if err := p.terminate(); err != nil {
		note("%v", err)
	}
	lines, bad, err := p.readLog()
	if err != nil {
		return err
	}
	if lines != ended {
		note("%d calls ended and %d have an access line", ended, lines)
	}
	for _, text := range bad[:min(len(bad), 50)] {
		note("in the log: %s", text)
	}
	return nil
}

// leftBehind returns what a process holds that it did not hold before.
func leftBehind(before, after footprint) error {
	var errs []error
	if after.goroutines > before.goroutines+goroutineAllowance {
		errs = append(errs, fmt.Errorf("%d goroutines, %d before", after.goroutines, before.goroutines))
	}
	if after.sockets > before.sockets {
		errs = append(errs, fmt.Errorf("%d sockets, %d before", after.sockets, before.sockets))
	}
	if after.heap > before.heap+heapAllowance {
		errs = append(errs, fmt.Errorf("%d bytes of heap, %d before", after.heap, before.heap))
	}
	return errors.Join(errs...)
}
