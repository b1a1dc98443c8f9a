// Package status shows a running server to the one on call: a page of plain HTML, and
// the same as JSON. It shows names, numbers, times and settings, and no secret.
package status

import (
	"time"

	"github.com/digate/digate/server/setting"
)

// Status is a server at one moment.
type Status struct {
	Version string    `json:"version"`
	Now     time.Time `json:"now"`
	Started time.Time `json:"started"`
	// UptimeSeconds is the time from Started to Now.
	UptimeSeconds float64 `json:"uptime_seconds"`
	// NotReady says why /readyz is 503, empty if it is 200.
	NotReady  string     `json:"not_ready"`
	Listeners []Listener `json:"listeners"`
	Upstream  Upstream   `json:"upstream"`
	Ledger    Ledger     `json:"ledger"`
	// Audit is nil without an audit log.
	Audit *Audit `json:"audit"`
	// Accounts is nil without a file of accounts.
	Accounts *Accounts `json:"accounts"`
	// LogLevel is nil while the level of the log is that of its setting.
	LogLevel *LogLevel `json:"log_level"`
	// Drift is how Diga's responses departed from the contract, the latest first.
	Drift []Drift `json:"drift"`
	// Errors are the reasons of failures since the start, the latest first.
	Errors []Error `json:"errors"`
	// Settings are those in force.
	Settings []setting.Effective `json:"settings"`
	// Links are the other paths of the admin listener.
	Links []string `json:"links"`
}

// Listener is an address that the server listens on.
type Listener struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// Upstream is the load on Diga, and what holds calls back from it.
type Upstream struct {
	URL string `json:"url"`
	// Circuit is closed, half-open or open.
	Circuit       string `json:"circuit"`
	InFlight      int    `json:"in_flight"`
	InFlightLimit int    `json:"in_flight_limit"`
	Queued        int    `json:"queued"`
	QueuedBytes   int64  `json:"queued_bytes"`
	// AccountsLimited and AccountsPaused count the accounts that Diga responded 429 to.
	AccountsLimited int `json:"accounts_limited"`
	AccountsPaused  int `json:"accounts_paused"`
	// Overload counts the evidence of overload since the start, and Refused the calls
	// that were refused before they were sent.
	Overload map[string]uint64 `json:"overload"`
	Refused  map[string]uint64 `json:"refused"`
}

// Ledger is the ledger of request ids.
type Ledger struct {
	// Store is memory, sqlite or postgres.
	Store   string `json:"store"`
	Durable bool   `json:"durable"`
	// Lost is why the ledger cannot be used, empty if it can, and LostSince since when.
	Lost      string     `json:"lost"`
	LostSince *time.Time `json:"lost_since"`
	// Records counts the records by their state. It is nil if that is not known.
	Records map[string]int `json:"records"`
	// CountedTo is how far the records of a state are counted.
	CountedTo        int `json:"counted_to"`
	ConnectionsInUse int `json:"connections_in_use"`
	ConnectionsLimit int `json:"connections_limit"`
	// DoubtAges counts the open doubts by their age.
	DoubtAges []Age `json:"doubt_ages"`
	// Doubts are open doubts, the oldest first.
	Doubts []Doubt `json:"doubts"`
}

// Audit is the audit log.
type Audit struct {
	// To is its file.
	To       string `json:"to"`
	Required bool   `json:"required"`
	// Failing is why it cannot be written, empty if it can, and FailingSince since when.
	Failing      string     `json:"failing"`
	FailingSince *time.Time `json:"failing_since"`
	// Lost counts the lines that were lost, and Refused the writes that were refused.
	Lost    uint64 `json:"lost"`
	Refused uint64 `json:"refused"`
}

// Accounts is the file of accounts.
type Accounts struct {
	File string `json:"file"`
	// Hash is the SHA-256 of the version in force, which came into force at Loaded,
	// AgeSeconds ago.
	Hash       string    `json:"hash"`
	Loaded     time.Time `json:"loaded"`
	AgeSeconds float64   `json:"age_seconds"`
	// RefusedSince is since when the file is another, and cannot be used; nil while it is
	// in force.
	RefusedSince *time.Time `json:"refused_since"`
	// Accounts, Callers and Issuers are their names.
	Accounts Names `json:"accounts"`
	Callers  Names `json:"callers"`
	Issuers  Names `json:"issuers"`
}

// maxNames is how many names of one kind a status has.
const maxNames = 200

// Names are the names of one kind in a file of accounts.
type Names struct {
	// Count is how many there are, and Names the first 200 of them.
	Count int      `json:"count"`
	Names []string `json:"names"`
	// Failing are those whose token or keys cannot be read now; those before stay in force.
	Failing []string `json:"failing"`
}

// More returns how many names are left out.
func (n Names) More() int { return n.Count - len(n.Names) }

// NewNames returns the status of names, some of which are failing.
func NewNames(all, failing []string) Names {
	return Names{len(all), all[:min(len(all), maxNames)], failing[:min(len(failing), maxNames)]}
}

// LogLevel is a level of the log that was set while the server runs.
type LogLevel struct {
	Level   string `json:"level"`
	Setting string `json:"setting"`
	// Until is when the level is that of the setting again, nil if it stays.
	Until *time.Time `json:"until"`
}

// Age is how many doubts are younger than a bound, and not younger than the one before
// it. The last has no bound.
type Age struct {
	Under string `json:"under"`
	Count int    `json:"count"`
}

// Doubt is a call in doubt.
type Doubt struct {
	Record     string  `json:"record"`
	Method     string  `json:"method"`
	ParentID   string  `json:"parent_id"`
	AgeSeconds float64 `json:"age_seconds"`
}

// Drift is a kind of departure from the contract.
type Drift struct {
	What string `json:"what"`
	// Meaning says it in words.
	Meaning string    `json:"meaning"`
	Count   uint64    `json:"count"`
	Last    time.Time `json:"last"`
}

// Error is a reason of failures, and the last of them.
type Error struct {
	Reason  string    `json:"reason"`
	Count   uint64    `json:"count"`
	Last    time.Time `json:"last"`
	Method  string    `json:"method"`
	Code    string    `json:"code"`
	Outcome string    `json:"outcome"`
	// XRequestID leads to its line in the log.
	XRequestID string `json:"x_request_id"`
}

// MaxDoubts is how many doubts are shown.
const MaxDoubts = 20

// ageBounds are the bounds of [Age].
var ageBounds = []struct {
	name  string
	under time.Duration
}{{"5m", 5 * time.Minute}, {"1h", time.Hour}, {"6h", 6 * time.Hour}, {"24h", 24 * time.Hour}, {"", 1 << 62}}

// SetDoubts sets the doubts of a ledger, which are given the latest first.
func (l *Ledger) SetDoubts(latestFirst []Doubt) {
	l.Doubts, l.DoubtAges = []Doubt{}, nil
	for _, b := range ageBounds {
		l.DoubtAges = append(l.DoubtAges, Age{Under: b.name})
	}
	for i := range latestFirst {
		d := latestFirst[len(latestFirst)-1-i]
		if i < MaxDoubts {
			l.Doubts = append(l.Doubts, d)
		}
		for n, b := range ageBounds {
			if time.Duration(d.AgeSeconds*float64(time.Second)) < b.under {
				l.DoubtAges[n].Count++
				break
			}
		}
	}
}
