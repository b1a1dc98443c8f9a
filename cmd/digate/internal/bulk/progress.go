package bulk

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/digate/digate/cmd/digate/internal/term"
)

const (
	// redrawEvery is how often the line on a terminal is redrawn.
	redrawEvery = 200 * time.Millisecond
	// sayEvery is how often a line is written where there is no terminal.
	sayEvery = 5 * time.Second
	// rateOver is the time over which the rate is measured.
	rateOver = 10 * time.Second
	// maxBar bounds the bar, in columns.
	maxBar = 30
)

// counts counts the rows of a run by outcome.
type counts struct {
	total                      int // 0 if unknown
	done, replayed             int // done includes replayed
	existing                   int // left as Diga has them already
	notSent, rejected, inDoubt int
	underWay                   int
	unfinished                 int // of the done
	asBefore                   int // of the done: changed since, and skipped
}

func (c *counts) finished() int { return c.done + c.existing + c.notSent + c.rejected + c.inDoubt }

// others says how many rows are not surely made.
func (c *counts) others() (parts []string) {
	for _, part := range []struct {
		n       int
		outcome string
	}{{c.existing, rowExisting}, {c.notSent, rowNotSent}, {c.rejected, rowRejected}, {c.inDoubt, rowUnknown}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, words[part.outcome]))
		}
	}
	return parts
}

// progress shows on stderr how far a run is. It redraws one line on a terminal,
// writes a new line now and then elsewhere, or shows only what say is given.
type progress struct {
	w       io.Writer
	columns func() int // of the terminal, or 0
	silent  bool

	mu      sync.Mutex
	counts  counts
	drawn   bool
	samples []sample
	// preparing is how many preparations are under way, each within the one before.
	preparing int
}

type sample struct {
	at       time.Time
	finished int
}

// run draws until stop is called. stop removes the line.
func (p *progress) run() (stop func()) { return p.repeat(p.draw) }

// repeat calls draw again and again until stop is called. stop removes the line.
func (p *progress) repeat(draw func(now time.Time)) (stop func()) {
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
				draw(now)
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
func (p *progress) update(change func(*counts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.counts)
}

// current returns the counts.
func (p *progress) current() counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// say writes a line that stays.
func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.w, "%s\n", text)
}

// sayLine writes one line that stays. On a terminal it is cut to its width.
func (p *progress) sayLine(text string) {
	if columns := term.Columns(p.w); columns > 0 {
		text = term.Cut(text, columns-1)
	}
	p.say(text)
}

// clear removes the drawn line. The caller holds the mutex.
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
	if columns := p.columns(); columns > 0 {
		line = p.bar(columns-1-term.Width(line)) + line
	}
	p.paint(line)
}

// paint redraws the line on a terminal, and writes a new one elsewhere. The caller
// holds the mutex.
func (p *progress) paint(line string) {
	columns := p.columns()
	if columns == 0 {
		fmt.Fprintln(p.w, line)
		return
	}
	// A line of the full width would make some terminals wrap.
	fmt.Fprint(p.w, "\r"+term.Cut(line, columns-1)+"\x1b[K")
	p.drawn = true
}

// line returns how far the run is.
func (p *progress) line(now time.Time) string {
	p.samples = append(p.samples, sample{now, p.counts.finished()})
	for len(p.samples) > 2 && now.Sub(p.samples[1].at) >= rateOver {
		p.samples = p.samples[1:]
	}
	c := &p.counts
	var parts []string
	if c.total > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d made", c.done, c.total))
	} else {
		parts = append(parts, fmt.Sprintf("%d made", c.done))
	}
	parts = append(append(parts, c.others()...), fmt.Sprintf("%d under way", c.underWay))
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

// longTime formats a duration in seconds, or in days if it is that long.
func longTime(d time.Duration) string {
	if d > 48*time.Hour {
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	}
	return d.Round(time.Second).String()
}

// bar returns a bar, or nothing if the total is unknown or there is no room.
func (p *progress) bar(room int) string {
	width := min(room-3, maxBar)
	if p.counts.total == 0 || width < 10 {
		return ""
	}
	full := min(width*p.counts.finished()/p.counts.total, width)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "] "
}

// newProgress returns the progress of a run. It draws nothing over rows that a person types.
func (c *Command) newProgress(std term.IO) *progress {
	columns := func() int { return 0 }
	if c.Progress == "auto" && term.CanRedraw(std.Err) {
		columns = func() int { return term.Columns(std.Err) }
	}
	typed := c.Progress == "auto" && c.File == "-" && term.IsTerminal(std.In)
	return &progress{w: std.Err, columns: columns, silent: typed || c.Progress == "never"}
}
