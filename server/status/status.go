// Package status shows operators the state of a running server: as a plain HTML page, and
// as JSON. It shows names, numbers, times and settings, and no secret.
package status

import (
	"time"

	"github.com/digate/digate/server/setting"
)

// Status is the state of a server at one time.
type Status struct {
	Version string    `json:"version"`
	Now     time.Time `json:"now"`
	Started time.Time `json:"started"`
	// UptimeSeconds is the time from Started to Now.
	UptimeSeconds float64 `json:"uptime_seconds"`
	// NotReady says why /readyz is 503. It is empty if /readyz is 200.
	NotReady  string     `json:"not_ready"`
	Listeners []Listener `json:"listeners"`
	Upstream  Upstream   `json:"upstream"`
	Ledger    Ledger     `json:"ledger"`
	// Audit is nil without an audit log.
	Audit *Audit `json:"audit"`
	// Accounts is nil without a file of accounts.
	Accounts *Accounts `json:"accounts"`
	// LogLevel is nil while the log level is that of the setting.
	LogLevel *LogLevel `json:"log_level"`
	// Drift are the deviations of Diga's responses from the contract, the latest first.
	Drift []Drift `json:"drift"`
	// Errors are the reasons of errors since the start, the latest first.
	Errors []Error `json:"errors"`
	// Settings are the settings in use.
	Settings []setting.Effective `json:"settings"`
	// Links are the other paths of the admin listener.
	Links []string `json:"links"`
}

// Listener is an address on which the server listens.
type Listener struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// Upstream is the load on Diga, and what delays or refuses calls to it.
type Upstream struct {
	URL string `json:"url"`
	// Circuit is closed, half-open or open.
	Circuit       string `json:"circuit"`
	InFlight      int    `json:"in_flight"`
	InFlightLimit int    `json:"in_flight_limit"`
	Queued        int    `json:"queued"`
	QueuedBytes   int64  `json:"queued_bytes"`
	// AccountsLimited and AccountsPaused count the accounts to which Diga responded with
	// 429.
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
	// Lost is why the ledger cannot be used, or empty. LostSince is when that began.
	Lost      string     `json:"lost"`
	LostSince *time.Time `json:"lost_since"`
	// Records counts the records by state. It is nil if the counts are unknown.
	Records map[string]int `json:"records"`
	// CountedTo is the maximum to which the records of a state are counted.
	CountedTo        int `json:"counted_to"`
	ConnectionsInUse int `json:"connections_in_use"`
	ConnectionsLimit int `json:"connections_limit"`
	// DoubtAges counts the open doubts by age.
	DoubtAges []Age `json:"doubt_ages"`
	// Doubts are open doubts, the oldest first.
	Doubts []Doubt `json:"doubts"`
}

// Audit is the audit log.
type Audit struct {
	// To is the log's file.
	To       string `json:"to"`
	Required bool   `json:"required"`
	// Failing is why the log cannot be written, or empty. FailingSince is when that
	// began.
	Failing      string     `json:"failing"`
	FailingSince *time.Time `json:"failing_since"`
	// Lost is the number of lost lines, and Refused the number of refused writes.
	Lost    uint64 `json:"lost"`
	Refused uint64 `json:"refused"`
}

// Accounts is the file of accounts.
type Accounts struct {
	File string `json:"file"`
	// Hash is the SHA-256 of the version in use. That version has been in use since
	// Loaded, for AgeSeconds.
	Hash       string    `json:"hash"`
	Loaded     time.Time `json:"loaded"`
	AgeSeconds float64   `json:"age_seconds"`
	// RefusedSince is since when the file has had another version that cannot be used. It
	// is nil if the file is the version in use.
	RefusedSince *time.Time `json:"refused_since"`
	// Accounts, Callers and Issuers are their names.
	Accounts Names `json:"accounts"`
	Callers  Names `json:"callers"`
	Issuers  Names `json:"issuers"`
}

// maxNames is the maximum number of names of one kind in a status.
const maxNames = 200

// Names are the names of one kind in a file of accounts.
type Names struct {
	// Count is the number of names, and Names the first 200 of them.
	Count int      `json:"count"`
	Names []string `json:"names"`
	// Failing are the names whose token or keys cannot be read at present. Their previous
	// ones stay in use.
	Failing []string `json:"failing"`
}

// More returns how many names are left out.
func (n Names) More() int { return n.Count - len(n.Names) }

// NewNames returns the status of names. failing are those whose token or keys cannot be
// read.
func NewNames(all, failing []string) Names {
	return Names{len(all), all[:min(len(all), maxNames)], failing[:min(len(failing), maxNames)]}
}

// LogLevel is a log level that was set while the server runs.
type LogLevel struct {
	Level   string `json:"level"`
	Setting string `json:"setting"`
	// Until is when the level returns to that of the setting, or nil if it stays.
	Until *time.Time `json:"until"`
}

// Age is the number of doubts that are younger than a limit, and not younger than the
// previous one. The last one has no limit.
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

// Drift is a kind of deviation from the contract.
type Drift struct {
	What string `json:"what"`
	// Meaning describes the deviation.
	Meaning string    `json:"meaning"`
	Count   uint64    `json:"count"`
	Last    time.Time `json:"last"`
}

// Error is a reason of errors, with the last error that had it.
type Error struct {
	Reason  string    `json:"reason"`
	Count   uint64    `json:"count"`
	Last    time.Time `json:"last"`
	Method  string    `json:"method"`
	Code    string    `json:"code"`
	Outcome string    `json:"outcome"`
	// XRequestID identifies its line in the log.
	XRequestID string `json:"x_request_id"`
}

// MaxDoubts is the maximum number of doubts that are shown.
const MaxDoubts = 20

// ageBounds are the limits of [Age].
var ageBounds = []struct {
	name  string
	under time.Duration
}{{"5m", 5 * time.Minute}, {"1h", time.Hour}, {"6h", 6 * time.Hour}, {"24h", 24 * time.Hour}, {"", 1 << 62}}

// SetDoubts sets the doubts of a ledger. The argument has the latest first.
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
