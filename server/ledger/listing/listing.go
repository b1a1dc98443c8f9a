// Package listing shows records to operators, as JSON. It shows names, ids, states
// and times, and nothing from which a caller or a request id can be read.
package listing

import (
	"encoding/hex"
	"errors"
	"time"

	"github.com/digate/digate/server/ledger"
)

// Record is a record as operators see it.
type Record struct {
	// Record is its name, as the log has it.
	Record string `json:"record"`
	State  string `json:"state"`
	// Method is empty for a record of a digate that did not write it.
	Method    string    `json:"method"`
	ParentID  string    `json:"parent_id"`
	CreatedID string    `json:"created_id"`
	ClaimTime time.Time `json:"claim_time"`
	// Lapsed says that the call is in doubt because its server fell silent.
	Lapsed bool `json:"lapsed"`
}

// Page is records, the latest claim first.
type Page struct {
	Records []Record `json:"records"`
	// More says that there are more than were asked for.
	More bool `json:"more"`
}

// Of returns a record as operators see it.
func Of(r ledger.Record) Record {
	return Record{
		Record: r.Key.RecordName(), State: r.State.String(), Method: r.Method, ParentID: r.ParentID,
		CreatedID: r.CreatedID, ClaimTime: r.ClaimedAt.UTC(), Lapsed: r.LapsedFor > 0,
	}
}

// Ledger returns the record as the ledger has it, as far as it is shown.
func (r Record) Ledger() (ledger.Record, error) {
	state, err := ledger.ParseState(r.State)
	if err != nil {
		return ledger.Record{}, err
	}
	out := ledger.Record{Method: r.Method, ParentID: r.ParentID, CreatedID: r.CreatedID, State: state, ClaimedAt: r.ClaimTime}
	if n, err := hex.Decode(out.Key[:], []byte(r.Record)[:min(len(r.Record), 2*len(out.Key))]); err != nil || n != len(out.Key) {
		return ledger.Record{}, errors.New("a record's name is not one")
	}
	return out, nil
}

// PageOf returns up to limit of the records, of which one more than limit may have
// been asked for.
func PageOf(found []ledger.Record, limit int) Page {
	p := Page{Records: []Record{}, More: len(found) > limit}
	for _, r := range found[:min(len(found), limit)] {
		p.Records = append(p.Records, Of(r))
	}
	return p
}
