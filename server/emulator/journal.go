package emulator

import (
	"encoding/hex"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The limits on the calls that are kept: the last maxCalls, or fewer if they are large.
const (
	maxCalls        = 10_000
	maxJournalBytes = 64 << 20
)

// Call is a call that the emulator received.
type Call struct {
	Number        int       // the first call has 1
	At            time.Time // by the emulator's clock
	Method        string
	Path          string
	Query         string
	Header        http.Header // without Authorization
	Body          []byte
	Operation     string // such as "copy_template"; "" if there is no such route
	TemplateID    string
	IntegrationID string
	ToolID        string
	Name          string // the field name of the body
	TokenSHA256   string // in hexadecimal; "" without a bearer token
	Status        int    // 0 if no response was sent
	Fault         string // the name of the fault of a template or a rule
	Rule          string // the name of the rule that applied
}

// size returns the approximate memory of the call.
func (c *Call) size() int {
	n := 512 + len(c.Path) + len(c.Query) + len(c.Body) + len(c.Name)
	for name, values := range c.Header {
		n += len(name)
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}

// entry is a call in the journal.
type entry struct {
	Call
	token *sha256sum
}

func (n *entry) facts() facts {
	return facts{n.Operation, n.TemplateID, n.IntegrationID, n.ToolID, n.Name, n.token}
}

// journal keeps the last calls. A nil journal keeps none.
type journal struct {
	mu      sync.Mutex
	entries []entry // oldest first
	last    int     // number of the last call
	bytes   int
	lost    int           // how many calls were removed to make room
	changed chan struct{} // closed at the next change
}

func newJournal() *journal { return &journal{changed: make(chan struct{})} }

// add records a call whose response was decided but not sent yet.
func (j *journal) add(r *http.Request, c *call, resp response, now time.Time) {
	if j == nil {
		return
	}
	n := entry{Call: Call{
		At: now, Method: r.Method, Path: readable(r.URL.Path), Query: readable(r.URL.RawQuery), Header: r.Header.Clone(), Body: c.raw,
		Operation: c.operation, TemplateID: c.path["template_id"], IntegrationID: c.path["integration_id"], ToolID: c.path["tool_id"],
		Name: c.body.str("name"), Fault: resp.fault, Rule: resp.rule,
	}}
	n.Header.Del("Authorization")
	if c.authenticated {
		n.token, n.TokenSHA256 = &c.token, hex.EncodeToString(c.token[:])
	}
	if resp.delivery != reset && resp.delivery != hanging {
		n.Status = resp.status
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	n.Number = j.last
	j.entries = append(j.entries, n)
	j.bytes += n.size()
	for len(j.entries) > maxCalls || len(j.entries) > 1 && j.bytes > maxJournalBytes {
		j.bytes -= j.entries[0].size()
		j.entries[0] = entry{}
		j.entries = j.entries[1:]
		j.lost++
	}
	j.tell()
}

// tell wakes those who wait for a change. The caller must hold mu.
func (j *journal) tell() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// forget removes the calls that match.
func (j *journal) forget(m match) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = slices.DeleteFunc(j.entries, func(n entry) bool {
		if !m.facts(n.facts()) {
			return false
		}
		j.bytes -= n.size()
		return true
	})
	if m == (match{}) {
		j.lost, j.last = 0, 0
	}
	j.tell()
}

// find returns the calls that match, oldest first, how many calls were removed to make
// room, and a channel that is closed at the next change.
func (j *journal) find(m match, status int) (calls []Call, lost int, changed <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range j.entries {
		n := &j.entries[i]
		if m.facts(n.facts()) && (status == 0 || n.Status == status) {
			calls = append(calls, n.Call)
		}
	}
	return calls, j.lost, j.changed
}

// Calls returns the calls that match, oldest first. It returns none without
// [Options.Control]. Of more than 10,000 calls, the oldest are removed. The error
// describes what is wrong with the match.
func (e *Emulator) Calls(m Match) ([]Call, error) {
	o, err := checkObject(matchFields, m.object())
	if err != nil || e.journal == nil {
		return nil, err
	}
	calls, _, _ := e.journal.find(readMatch(o), 0)
	return calls, nil
}

// view returns the call in the form of the control routes.
func (c Call) view() object {
	o := object{{"number", c.Number}, {"at", timestamp(c.At.UTC().Truncate(time.Microsecond))}, {"method", c.Method}, {"path", c.Path}}
	for _, f := range []member{
		{"query", c.Query}, {"operation", c.Operation}, {"template_id", c.TemplateID}, {"integration_id", c.IntegrationID},
		{"tool_id", c.ToolID}, {"token_sha256", c.TokenSHA256}, {"rule", c.Rule}, {"fault", c.Fault},
	} {
		if f.value != "" {
			o = append(o, f)
		}
	}
	headers := object{}
	for _, name := range sortedNames(c.Header) {
		headers = append(headers, member{name, readable(c.Header.Get(name))})
	}
	o = append(o, member{"headers", headers})
	if len(c.Body) > 0 {
		o = append(o, bodyMember(c.Body))
	}
	if c.Status != 0 {
		o = append(o, member{"status", c.Status})
	} else {
		o = append(o, member{"status", nil})
	}
	return o
}

// bodyMember returns a body as a JSON value, or as text if it is not JSON.
func bodyMember(body []byte) member {
	if v, err := decodeJSON(body); err == nil {
		if _, err := appendJSON(nil, v); err == nil {
			return member{"body", v}
		}
	}
	return member{"text", readable(string(body))}
}

func sortedNames(h http.Header) []string {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
