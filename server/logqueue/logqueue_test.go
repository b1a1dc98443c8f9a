package logqueue

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// reader is the other end of a log: it takes what is written while it is open.
type reader struct {
	mu     sync.Mutex
	got    bytes.Buffer
	writes int
	err    error
	gate   chan struct{} // nil, or closed when the reader begins to read
}

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	gate, err := r.gate, r.err
	r.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	return r.got.Write(p)
}

func (r *reader) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func TestWrite_ManyLinesAtOnce_AreOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(reader)
		q := New(r, nil)
		var want strings.Builder
		for i := range 100 {
			line := fmt.Sprintf("line %d\n", i)
			want.WriteString(line)
			if n, err := q.Write([]byte(line)); n != len(line) || err != nil {
				t.Fatal(n, err)
			}
		}
		time.Sleep(linger)
		synctest.Wait()
		if r.got.String() != want.String() || r.writes != 1 {
			t.Errorf("%d writes of %q", r.writes, r.got.String())
		}
		q.Close(time.Second)
	})
}

func TestWrite_NobodyReads_NeverWaitsAndCountsWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{gate: make(chan struct{})}
		var told []uint64
		q := New(r, func(lines uint64) { told = append(told, lines) })
		line := append(bytes.Repeat([]byte("x"), 1023), '\n')
		_, _ = q.Write([]byte("taken\n"))
		time.Sleep(linger)
		synctest.Wait() // the writer waits for the reader
		began := time.Now()
		for range MaxPending/len(line) + 7 {
			_, _ = q.Write(line)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited for %v", waited)
		}
		if q.Lost() != 7 {
			t.Errorf("%d lines lost, want 7", q.Lost())
		}
		if q.Flush(time.Second) || time.Since(began) != time.Second {
			t.Errorf("the flush ended after %v", time.Since(began))
		}
		close(r.gate)
		if !q.Flush(time.Second) {
			t.Error("no flush though the reader reads again")
		}
		synctest.Wait()
		if want := len("taken\n") + MaxPending; r.got.Len() != want {
			t.Errorf("%d bytes written, want %d", r.got.Len(), want)
		}
		if len(told) != 1 || told[0] != 7 {
			t.Errorf("told of %v lost lines, want once 7", told)
		}
		q.Close(time.Second)
	})
}

func TestWrite_ReaderGone_CountsAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{err: errors.New("broken pipe")}
		var told uint64
		q := New(r, func(lines uint64) { told += lines })
		_, _ = q.Write([]byte("one\ntwo\n"))
		if !q.Flush(time.Second) {
			t.Error("the flush waits for a reader that is gone")
		}
		if q.Lost() != 2 || told != 0 {
			t.Errorf("%d lost, told of %d", q.Lost(), told)
		}
		r.fail(nil)
		_, _ = q.Write([]byte("three\n"))
		q.Close(time.Second)
		if r.got.String() != "three\n" || told != 2 {
			t.Errorf("wrote %q, told of %d", r.got.String(), told)
		}
	})
}

func TestClose_WritesWhatIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(reader)
		q := New(r, nil)
		_, _ = q.Write([]byte("last\n"))
		began := time.Now()
		q.Close(time.Second)
		if r.got.String() != "last\n" || time.Since(began) != 0 {
			t.Errorf("%q after %v", r.got.String(), time.Since(began))
		}
		_, _ = q.Write([]byte("late\n"))
		if q.Lost() != 1 {
			t.Errorf("%d lost, want the line after the end", q.Lost())
		}
		q.Close(time.Second) // again, which does nothing
	})
}

func TestClose_NobodyReads_EndsWithinTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{gate: make(chan struct{})}
		q := New(r, nil)
		_, _ = q.Write([]byte("stuck\n"))
		began := time.Now()
		q.Close(time.Second)
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v", took)
		}
		close(r.gate)
	})
}

func TestReport_LossesGoOn_AreToldOnceAPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(reader)
		told := 0
		q := New(r, func(uint64) { told++ })
		for range 100 {
			r.fail(errors.New("full"))
			_, _ = q.Write([]byte("lost\n"))
			q.Flush(time.Second)
			r.fail(nil)
			_, _ = q.Write([]byte("kept\n"))
			q.Flush(time.Second)
			synctest.Wait()
			time.Sleep(reportEvery / 10)
		}
		if told < 9 || told > 12 {
			t.Errorf("told %d times within 10 periods", told)
		}
		q.Close(time.Second)
	})
}

// Only the first flush pays for a reader that does not read.
func TestFlush_WriteIsStuckForLonger_DoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{gate: make(chan struct{})}
		q := New(r, nil)
		_, _ = q.Write([]byte("stuck\n"))
		q.Flush(time.Second)
		time.Sleep(time.Millisecond)
		began := time.Now()
		if q.Flush(time.Second) || time.Since(began) != 0 {
			t.Errorf("the second flush ended after %v", time.Since(began))
		}
		close(r.gate)
		q.Close(time.Second)
	})
}

func TestClose_LastLinesWereLost_TellsOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told uint64
		q := New(&reader{err: errors.New("full")}, func(lines uint64) { told += lines })
		_, _ = q.Write([]byte("one\ntwo\n"))
		q.Close(time.Second)
		if told != 2 {
			t.Errorf("told of %d lost lines, want 2", told)
		}
	})
}

// A reader may take a part of what is written.
func TestWrite_PartIsTaken_OnlyTheRestIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(partReader(6), nil)
		_, _ = q.Write([]byte("one\ntwo\nthree\n"))
		q.Close(time.Second)
		if q.Lost() != 2 {
			t.Errorf("%d lines lost, want the one that was cut and the last", q.Lost())
		}
	})
}

// partReader takes so many bytes of each write, and fails.
type partReader int

func (r partReader) Write([]byte) (int, error) { return int(r), errors.New("full") }

// A burst does not keep its memory for good.
func TestWrite_Burst_LeavesASmallBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(new(reader), nil)
		_, _ = q.Write(append(bytes.Repeat([]byte("x"), 2*maxKept), '\n'))
		q.Flush(time.Second)
		q.mu.Lock()
		if n := cap(q.spare) + cap(q.pending); n > maxKept {
			t.Errorf("%d bytes are kept", n)
		}
		q.mu.Unlock()
		q.Close(time.Second)
	})
}

func BenchmarkWrite(b *testing.B) {
	q := New(discard{}, nil)
	line := append(bytes.Repeat([]byte("x"), 399), '\n')
	b.ReportAllocs()
	for b.Loop() {
		_, _ = q.Write(line)
	}
	q.Close(time.Second)
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
