package bulk

import (
	"time"
)

// quietFor is how long a preparation lasts before a terminal shows it.
const quietFor = time.Second

// prepare shows what is done before anything is sent, and for how long it has lasted,
// until stop is called. Of a preparation within another, only the inner one is shown.
func (p *progress) prepare(what func() string) (stop func()) {
	begun := time.Now()
	p.mu.Lock()
	p.preparing++
	own := p.preparing
	p.mu.Unlock()
	end := p.repeat(func(now time.Time) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if lasts := now.Sub(begun); p.preparing == own && lasts >= quietFor {
			p.paint(what() + ", " + longTime(lasts))
		}
	})
	return func() {
		end()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.preparing--
	}
}
