package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	// redrawEvery is how often the line on a terminal is drawn anew.
	redrawEvery = 200 * time.Millisecond
	// sayEvery is how often a line is written elsewhere.
	sayEvery = 5 * time.Second
	// rateOver is the time that the rate is measured over.
	rateOver = 10 * time.Second
	// maxBar bounds the bar, in columns.
	maxBar = 30
)

// bulkCounts are the rows of a run, by what came of them.
type bulkCounts struct {
	total                      int // 0 where it is not known
	done, replayed             int // the second are some of the first
	notSent, rejected, inDoubt int
	inFlight                   int
}

func (c *bulkCounts) failed() int   { return c.notSent + c.rejected + c.inDoubt }
func (c *bulkCounts) finished() int { return c.done + c.failed() }

// progress tells of a run on stderr: one line that is drawn again and again, or
// a line now and then, or nothing but what it is told to say.
type progress struct {
	w       io.Writer
	columns func() int // of the terminal, 0 for none
	silent  bool

	mu      sync.Mutex
	counts  bulkCounts
	drawn   bool
	samples []sample
}

type sample struct {
	at       time.Time
	finished int
}

// run draws until stop is called, which leaves no line behind.
func (p *progress) run() (stop func()) {
	if p.silent {
		return func() {}
	}
	every := sayEvery
	if p.columns() > 0 {
		every = redrawEvery
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				p.draw(now)
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
		p.mu.Lock()
		defer p.mu.Unlock()
		p.clear()
	}
}

// update changes the counts.
func (p *progress) update(change func(*bulkCounts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.counts)
}

func (p *progress) now() bulkCounts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// say writes a line, beside what is drawn.
func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.w, "%s\n", text)
}

// clear must be called with the mutex held.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

func (p *progress) draw(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := p.line(now)
	columns := p.columns()
	if columns == 0 {
		fmt.Fprintln(p.w, line)
		return
	}
	// One column less, so that no terminal goes to the next line.
	fmt.Fprint(p.w, "\r"+cut(p.bar(columns-1-textWidth(line))+line, columns-1)+"\x1b[K")
	p.drawn = true
}

// line says how far it is.
func (p *progress) line(now time.Time) string {
	p.samples = append(p.samples, sample{now, p.counts.finished()})
	for len(p.samples) > 2 && now.Sub(p.samples[1].at) >= rateOver {
		p.samples = p.samples[1:]
	}
	c := &p.counts
	var parts []string
	if c.total > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d done", c.done, c.total))
	} else {
		parts = append(parts, fmt.Sprintf("%d done", c.done))
	}
	parts = append(parts, fmt.Sprintf("%d failed", c.failed()), fmt.Sprintf("%d in flight", c.inFlight))
	first := p.samples[0]
	if took := now.Sub(first.at); took > 0 {
		rate := float64(c.finished()-first.finished) / took.Seconds()
		parts = append(parts, fmt.Sprintf("%.0f/s", rate))
		if left := c.total - c.finished(); left > 0 && rate > 0 {
			parts = append(parts, longTime(time.Duration(float64(left)/rate*float64(time.Second)))+" left")
		}
	}
	return strings.Join(parts, ", ")
}

// longTime is a duration in seconds, or in days where it is as long.
func longTime(d time.Duration) string {
	if d > 48*time.Hour {
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	}
	return d.Round(time.Second).String()
}

// bar is drawn where the total is known and there is room for it.
func (p *progress) bar(room int) string {
	width := min(room-3, maxBar)
	if p.counts.total == 0 || width < 10 {
		return ""
	}
	full := min(width*p.counts.finished()/p.counts.total, width)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "] "
}
