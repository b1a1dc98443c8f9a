package audit

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// Schema is the version of the line format. It changes when a key is removed or changes
// its meaning, and not when a key is added. docs/audit.md describes the lines.
const Schema = 1

// The events of the lines.
const (
	eventBegin    = "begin"    // a write begins; only with --audit-required
	eventEnd      = "end"      // a write ended, or was refused
	eventOpened   = "opened"   // the process opened the audit log at its start
	eventReopened = "reopened" // the process opened the audit log again
	eventClosed   = "closed"   // the process ended normally
	eventLost     = "lost"     // lines were lost
	eventOmitted  = "omitted"  // lines about strangers were omitted
)

// The ways in which callers authenticate.
const (
	ByNothing     = "none"
	ByToken       = "token"
	ByCertificate = "certificate"
	ByClaim       = "claim"
	ByPassthrough = "passthrough"
)

// Entry is the content of a line about a write. Empty fields are not written.
type Entry struct {
	// Kind is call, or the kind of an operation.
	Kind string
	// Protocol is grpc or rest, and Peer the address of the connection.
	Protocol, Peer string
	Method         string
	// Account and Caller are names, and By is how the caller authenticated.
	Account, Caller, By string
	// The ids of the resources that the write is about, and of the one that it created.
	TemplateID, IntegrationID, ToolID string
	LedgerRecord                      string
	Code, Outcome, Reason             string
	// HTTPStatus is the status of the REST response, and UpstreamStatus the status of
	// Diga's response.
	HTTPStatus, UpstreamStatus int
	Attempts                   int
	Replayed                   bool
	XRequestID, TraceID        string
	Duration                   time.Duration
}

// line is a line of JSON to which members are appended.
type line []byte

// usualLine is the initial capacity for a line.
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

// end returns the complete line.
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

// write appends the members about a write.
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

// result appends the result of a write.
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

// maxText is the maximum length of a text in bytes, because Diga chooses its ids and
// error codes.
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
			quoted, _ := json.Marshal(text) // a string can always be encoded
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}
