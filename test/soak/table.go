package soak

import (
	"fmt"
	"strings"
	"time"
)

// mixTable returns the list of mixes in Markdown.
func mixTable() string {
	var b strings.Builder
	b.WriteString("| mix | what goes wrong |\n|---|---|\n")
	for _, m := range mixes {
		fmt.Fprintf(&b, "| `%s` | %s |\n", m.name, m.what)
	}
	return b.String()
}

// resultHead is the head of the table of results.
const resultHead = "| mix | calls | requests | faults | copies | done | not sent | rejected | unknown, copy made | unknown, no copy | own timeout | cancelled | hold-ups | violations | time |\n" +
	"|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"

// row returns a line of the table of results.
func (r result) row() string {
	return fmt.Sprintf("| `%s` | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %.1f s |\n",
		r.mix.name, r.calls, r.requests, r.met.total(), r.copies, r.told[done], r.told[notSent], r.told[rejected],
		r.unknownMade, r.told[unknown]-r.unknownMade, r.told[ownTimeout], r.told[cancelled],
		r.told[unread]+r.told[unasked], len(r.violations), r.took.Round(100*time.Millisecond).Seconds())
}
