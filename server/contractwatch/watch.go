package contractwatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/digate/digate/server/contract/surface"
)

// Watch compares Diga's document with the contract at intervals.
type Watch struct {
	Source   Source
	Interval time.Duration
	// Compare returns the differences between the contract and a document; see [Compare].
	Compare func(text []byte) ([]surface.Finding, error)
	Log     *slog.Logger
	// Changes is called after each comparison, with the number of differences in each
	// class.
	Changes func(map[surface.Class]int)

	last string // the result that was last logged
}

// Run compares at once and then at intervals, until the context ends. The end of the
// context also ends a reading in progress, and Run does not wait for a comparison. Run
// logs a result that differs from the previous one. No failure ends Run.
func (w *Watch) Run(ctx context.Context) {
	timer := time.NewTimer(w.Interval)
	defer timer.Stop()
	for {
		w.compare(ctx)
		timer.Reset(w.Interval)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

func (w *Watch) compare(ctx context.Context) {
	text, err := w.Source.Read(ctx)
	var findings []surface.Finding
	if err == nil {
		findings, err = w.differences(ctx, text)
	}
	if err != nil {
		if ctx.Err() == nil && w.isNews("failed") {
			w.Log.Warn("Diga's published contract cannot be read", "cause", err.Error())
		}
		return
	}
	count := surface.Count(findings)
	w.Changes(count)
	places, news := Places(findings), ""
	for _, f := range findings {
		news += string(f.Class) + f.Subject + f.Text + "\n"
	}
	if !w.isNews("read " + news) {
		return
	}
	attrs := []any{
		"breaking", count[surface.Breaking], "additive", count[surface.Additive], "cosmetic", count[surface.Cosmetic],
	}
	if places != nil {
		attrs = append(attrs, "places", places)
	}
	level := slog.LevelInfo
	if count[surface.Breaking] > 0 {
		level = slog.LevelWarn
	}
	w.Log.Log(ctx, level, "Diga's published contract was compared", attrs...)
}

// differences compares a document with the contract. It returns an error if the context
// ends, because a malicious document can make the comparison take long.
func (w *Watch) differences(ctx context.Context, text []byte) ([]surface.Finding, error) {
	type result struct {
		findings []surface.Finding
		err      error
	}
	done := make(chan result, 1)
	go func() {
		findings, err := w.Compare(text)
		done <- result{findings, err}
	}()
	select {
	case r := <-done:
		return r.findings, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// isNews reports whether a result differs from the previous one.
func (w *Watch) isNews(result string) bool {
	news := result != w.last
	w.last = result
	return news
}

const maxPlaces = 50

// Places returns what the findings are about, the most serious first, limited to what
// fits into a log line.
func Places(findings []surface.Finding) []string {
	var places []string
	for _, f := range findings {
		if len(places) == maxPlaces {
			return append(places, "and more")
		}
		subject := []rune(f.Subject)
		places = append(places, string(f.Class)+" "+string(subject[:min(len(subject), 200)]))
	}
	return places
}
