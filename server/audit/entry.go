package audit

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// Schema is the version of the lines. It changes when a key gets another meaning or
// goes away, and not when a key is added. docs/audit.md describes the lines.
const Schema = 1

// The events of the lines.
const (
	eventBegin    = "begin"    // a write begins; only with --audit-required
	eventEnd      = "end"      // a write ended, or was refused
	eventOpened   = "opened"   // the process opened the audit log at its start
	eventReopened = "reopened" // the process opened the audit log again
	eventClosed   = "closed"   // the process ended in order
	eventLost     = "lost"     // lines were lost
	eventOmitted  = "omitted"  // lines about strangers were left out
)

// The ways in which a caller authenticated.
const (
	ByNothing     = "none"
	ByToken       = "token"
	ByCertificate = "certificate"
	ByClaim       = "claim"
	ByPassthrough = "passthrough"
)

// Entry is what the audit log says about a write. An empty field is not written.
type Entry struct {
	// Kind is call, or that of an operation.
	Kind string
	// Protocol is grpc or rest, and Peer the address of the connection.
	Protocol, Peer string
	Method         string
	// Account and Caller are names, and By is how the caller authenticated.
	Account, Caller, By string
	// The ids of what the write is about, and of what it created.
	TemplateID, IntegrationID, ToolID string
	LedgerRecord                      string
	Code, Outcome, Reason             string
	// HTTPStatus is that of the REST response, and UpstreamStatus Diga's.
	HTTPStatus, UpstreamStatus int
	Attempts                   int
	Replayed                   bool
	XRequestID, TraceID        string
	Duration                   time.Duration
}

// line appends the members of a line of JSON.
type line []byte

// usualLine has room for a usual line.
const usualLine = 768

// newLine returns the beginning of a line.
func newLine(event string, at time.Time) line {
	l := append(make(line, 0, usualLine), `{"audit":`...)
	l = strconv.AppendInt(l, Schema, 10)
	l = append(l, `,"time":"`...)
	l = at.UTC().AppendFormat(l, time.RFC3339Nano)
	l = append(l, '"')
	l.text("event", event)
	return l
}

// end returns the whole line.
func (l *line) end() []byte { return append(*l, "}\n"...) }

func (l *line) name(key string) {
	*l = append(*l, ',', '"')
	*l = append(*l, key...)
	*l = append(*l, '"', ':')
}

// text appends a text, unless it is empty.
func (l *line) text(key, value string) {
	if value == "" {
		return
	}
	l.name(key)
	*l = appendText(*l, value)
}

// number appends a number, unless it is 0.
func (l *line) number(key string, n int64) {
	if n == 0 {
		return
	}
	l.name(key)
	*l = strconv.AppendInt(*l, n, 10)
}

// write appends what is known of a write.
func (l *line) write(e *Entry) {
	l.text("kind", e.Kind)
	l.text("protocol", e.Protocol)
	l.text("method", e.Method)
	l.text("account", e.Account)
	l.text("caller", e.Caller)
	l.text("authenticated_by", e.By)
	l.text("peer", e.Peer)
	l.text("template_id", e.TemplateID)
	l.text("integration_id", e.IntegrationID)
	l.text("tool_id", e.ToolID)
	l.text("ledger_record", e.LedgerRecord)
	l.text("x_request_id", e.XRequestID)
	l.text("trace_id", e.TraceID)
}

// result appends how a write ended.
func (l *line) result(e *Entry) {
	l.text("outcome", e.Outcome)
	l.text("code", e.Code)
	l.text("reason", e.Reason)
	l.number("http_status", int64(e.HTTPStatus))
	l.number("upstream_status", int64(e.UpstreamStatus))
	l.name("attempts")
	*l = strconv.AppendInt(*l, int64(e.Attempts), 10)
	if e.Replayed {
		l.name("replayed")
		*l = append(*l, "true"...)
	}
	l.name("duration_us")
	*l = strconv.AppendInt(*l, e.Duration.Microseconds(), 10)
}

// maxText bounds a text, in bytes: Diga chooses its ids and its error codes.
const maxText = 256

func appendText(dst []byte, text string) []byte {
	if len(text) > maxText {
		cut := maxText
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(text) // a string always has a form
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}
