package bulk

import (
	"errors"
	"fmt"
	"time"

	digatev1 "github.com/digate/digate/gen/digate/v1"
)

// maxJobMargin bounds the margin of a promise. A copy that is sent may take that
// long until the server looks into the ledger.
const maxJobMargin = 10 * time.Minute

// promise is what a ledger promises to a run: whose copies it remembers, and
// until when.
type promise struct {
	Created time.Time `json:"created"`
	// Deadline is when the ledger may begin to forget what the run sent.
	Deadline time.Time `json:"deadline"`
	// Caller is the ledger's name for the caller who sent it.
	Caller string `json:"caller"`
	Ledger string `json:"ledger"`
	// Durable means that the ledger survives the end of its server.
	Durable bool   `json:"durable"`
	Server  string `json:"server"`
}

// newPromise returns the promise of a ledger at a time. Its times come from the
// wall clock, because other runs compare them with theirs.
func newPromise(server string, l *digatev1.GetLedgerResponse, now time.Time) promise {
	now = now.UTC().Truncate(time.Second)
	return promise{
		Created: now, Deadline: now.Add(l.GetRetention().AsDuration()),
		Caller: l.GetCaller(), Ledger: l.GetStore(), Durable: l.GetDurable(), Server: server,
	}
}

// of returns why a ledger is not the one that promised, or nil if it is.
func (p *promise) of(l *digatev1.GetLedgerResponse) error {
	if p.Caller == l.GetCaller() {
		return nil
	}
	if !p.Durable || !l.GetDurable() {
		return errors.New("the ledger does not know this job.\nThe server keeps its ledger in memory and was restarted, and so forgot\nwhat was done; or the token is another one: with the token of then,\nthe job goes on.\n" + insteadOfResuming)
	}
	return errors.New("the job was begun by another caller, of whom the ledger tells nothing.\nThe token is another one, or the server has another ledger or another key for\nits ledger. With the token of then, the job goes on.\n" + insteadOfResuming)
}

// insteadOfResuming says what to do if a job cannot be resumed.
const insteadOfResuming = "Else find out what was made (the results of the last run,\n`digate integrations list`), and put only the rows that were not made\ninto another file."

// shorten brings the deadline forward if the ledger keeps its records for less
// time than it promised.
func (p *promise) shorten(l *digatev1.GetLedgerResponse) {
	if d := p.Created.Add(l.GetRetention().AsDuration()); d.Before(p.Deadline) {
		p.Deadline = d
	}
}

// inTheFuture returns an error if the clock is before the time of the promise.
func (p *promise) inTheFuture(now time.Time) error {
	if now.Round(0).Before(p.Created) { // compare wall clocks
		return fmt.Errorf("the job was begun at %s,\nwhich is in the future: set the clock", stamp(p.Created))
	}
	return nil
}

// expired reports whether the ledger may have forgotten what the run sent.
func (p *promise) expired(now time.Time) bool { return !now.Round(0).Before(p.expiry()) }

// retention returns how long the ledger keeps what the run sent.
func (p *promise) retention() time.Duration { return p.Deadline.Sub(p.Created) }

// margin returns how long before the end of the retention the promise ends.
func (p *promise) margin() time.Duration { return min(p.retention()/10, maxJobMargin) }

// expiry returns when the promise ends: a row that was sent under it must not be
// sent again from then on.
func (p *promise) expiry() time.Time { return p.Deadline.Add(-p.margin()) }

// check returns an error if a promise lacks what resuming needs.
func (p *promise) check() error {
	if p.Created.IsZero() || p.Deadline.IsZero() || p.Caller == "" {
		return errors.New("incomplete")
	}
	return nil
}

// stamp formats a time for people.
func stamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }
