package emulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// controlPrefix begins the paths of the control routes, through which tests control the
// emulator.
const controlPrefix = "/_emulator/"

// The limits of the control routes.
const (
	maxControlBody = 16 << 20
	maxWithin      = time.Minute // maximum wait of a request with within
	maxShown       = 1000        // maximum number of calls in one response
)

// controlRoute is a route below controlPrefix.
type controlRoute struct {
	method, path string
	query        []field
	fields       []field // of the body; nil if there is none
	serve        func(*Emulator, context.Context, controlCall) response
}

// controlCall is a validated request.
type controlCall struct {
	rest  string // the part of the path after the route's
	query object
	body  object
}

// controlRoutes returns the routes. A path that ends in a slash takes a name after it.
func controlRoutes() []controlRoute {
	token := []field{optional("token", anyString, nil)}
	return []controlRoute{
		{"GET", "state", []field{optional("format", oneOf("enum", "json", "yaml"), "json")}, nil, (*Emulator).showState},
		{"PUT", "state", nil, stateFields, (*Emulator).putState},
		{"POST", "state", nil, stateFields, (*Emulator).postState},
		{"POST", "reset", token, nil, (*Emulator).postReset},
		{"GET", "faults", nil, nil, (*Emulator).showFaults},
		{"POST", "faults", nil, []field{required("faults", listOf(stateRule, 0))}, (*Emulator).postState},
		{"DELETE", "faults", nil, nil, (*Emulator).deleteFaults},
		{"DELETE", "faults/", nil, nil, (*Emulator).deleteFaults},
		{"GET", "calls", callsQuery(), nil, (*Emulator).showCalls},
		{"DELETE", "calls", token, nil, (*Emulator).deleteCalls},
		{"GET", "clock", nil, nil, (*Emulator).showClock},
		{"POST", "clock", nil, []field{optional("now", anyTime, nil), optional("advance", span, nil), optional("frozen", anyBoolean, nil)}, (*Emulator).postClock},
		{"GET", "settings", nil, nil, (*Emulator).showSettings},
		{"POST", "settings", nil, []field{optional("latency", latencyText, nil), optional("strict", anyBoolean, nil)}, (*Emulator).postState},
	}
}

// callsQuery returns the query parameters of the list of calls.
func callsQuery() []field {
	number := within(anyInteger, &zero, nil)
	return append(slices.Clone(matchFields),
		optional("status", within(anyInteger, &zero, nil), nil),
		optional("count", number, nil),
		optional("at_least", number, nil),
		optional("at_most", number, nil),
		optional("within", span, nil),
	)
}

// serveControl responds to a request below controlPrefix.
func (e *Emulator) serveControl(w http.ResponseWriter, r *http.Request) {
	resp := e.control(w, r)
	resp.header = append(resp.header, [2]string{"Cache-Control", "no-store"})
	e.deliver(w, r, resp.endLine())
}

// endLine returns the response with a line break at its end, so that after curl the
// prompt of the shell begins a new line.
func (r response) endLine() response {
	if r.value != nil {
		raw, err := appendJSON(nil, r.value)
		if err != nil {
			return r // deliver responds to it
		}
		r.value, r.raw = nil, raw
	}
	if len(r.raw) > 0 && !bytes.HasSuffix(r.raw, []byte("\n")) {
		r.raw = append(slices.Clip(r.raw), '\n')
	}
	return r
}

func controlError(status int, text string) response {
	return jsonResponse(status, object{{"error", text}})
}

// control returns the response to a control request. It refuses a browser's request for a page of another
// origin, which could otherwise change the emulator.
func (e *Emulator) control(w http.ResponseWriter, r *http.Request) response {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return controlError(403, err.Error())
	}
	if !e.options.Control {
		return controlError(404, "the emulator has no control routes; --control, in Go Options.Control, gives it some")
	}
	path := strings.TrimPrefix(r.URL.Path, controlPrefix)
	allowed := []string{}
	for _, t := range controlRoutes() {
		rest, found := strings.CutPrefix(path, t.path)
		if !found || (rest != "") != strings.HasSuffix(t.path, "/") {
			continue
		}
		if t.method != r.Method {
			allowed = append(allowed, t.method)
			continue
		}
		return e.serveRoute(w, r, t, rest)
	}
	if len(allowed) > 0 {
		return controlError(405, "this route takes "+strings.Join(allowed, ", ")).with("Allow", strings.Join(allowed, ", "))
	}
	return controlError(404, "there is no such route below "+controlPrefix)
}

// serveRoute checks a request for a control route, and returns the response.
func (e *Emulator) serveRoute(w http.ResponseWriter, r *http.Request, t controlRoute, rest string) response {
	c := controlCall{rest: rest}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return controlError(400, "the query is malformed")
	}
	p := problems{strict: true}
	c.query = readQuery(&p, values.Encode(), t.query)
	if p.any() {
		return controlError(400, strings.Join(p.lines, "; "))
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBody))
	if err != nil {
		return controlError(413, fmt.Sprintf("a body has at most %d bytes", maxControlBody))
	}
	if t.fields == nil {
		if len(raw) > 0 {
			return controlError(400, "this route takes no body")
		}
		return t.serve(e, r.Context(), c)
	}
	v, err := decodeDocument(raw)
	if err == nil && v == nil {
		v = object{}
	}
	if err == nil {
		c.body, err = checkObject(t.fields, v)
	}
	if err != nil {
		return controlError(400, err.Error())
	}
	return t.serve(e, r.Context(), c)
}

func (e *Emulator) showState(_ context.Context, c controlCall) response {
	s := e.State()
	if c.query.str("format") == "yaml" {
		return response{status: 200, raw: s.YAML(), contentType: "application/yaml"}
	}
	return response{status: 200, raw: s.JSON()}
}

func (e *Emulator) putState(_ context.Context, c controlCall) response {
	e.Load(newState(c.body))
	return response{status: 204}
}

func (e *Emulator) postState(_ context.Context, c controlCall) response {
	if err := e.Add(newState(c.body)); err != nil {
		return controlError(409, err.Error())
	}
	return response{status: 204}
}

func (e *Emulator) postReset(_ context.Context, c controlCall) response {
	if token := readToken(c.query); token != nil {
		e.resetToken(*token)
	} else {
		e.Reset()
	}
	return response{status: 204}
}

func (e *Emulator) showFaults(context.Context, controlCall) response {
	return jsonResponse(200, object{{"faults", anyList(e.rules.all(), func(r *rule) any { return r.view() })}})
}

func (e *Emulator) deleteFaults(_ context.Context, c controlCall) response {
	removed := e.rules.remove(func(r *rule) bool { return c.rest == "" || c.rest == r.name })
	if removed == 0 && c.rest != "" {
		return controlError(404, "no rule has this name")
	}
	return response{status: 204}
}

func (e *Emulator) deleteCalls(_ context.Context, c controlCall) response {
	e.journal.forget(match{token: readToken(c.query)})
	return response{status: 204}
}

// expectation is the number of calls that a request expects.
type expectation struct {
	least, most *int
	within      time.Duration
}

func readExpectation(query object) (x expectation, err error) {
	number := func(name string) *int {
		if v, _ := query.get(name); v != nil {
			n := v.(integer).clamp()
			return &n
		}
		return nil
	}
	x.least, x.most = number("at_least"), number("at_most")
	if n := number("count"); n != nil {
		if x.least != nil || x.most != nil {
			return x, errors.New("count: not together with at_least and at_most")
		}
		x.least, x.most = n, n
	}
	if v, _ := query.get("within"); v != nil {
		if x.within = v.(time.Duration); x.within > maxWithin {
			return x, fmt.Errorf("within: at most %v", maxWithin)
		}
		if x.least == nil {
			return x, errors.New("within: only together with count or at_least")
		}
	}
	return x, nil
}

// missed describes how the number of calls differs from the expected one. It returns ""
// if it does not.
func (x expectation) missed(n, lost int) string {
	if (x.least != nil || x.most != nil) && lost > 0 {
		return fmt.Sprintf("the oldest %d calls were dropped to make room, so the number is not known", lost)
	}
	switch {
	case x.least != nil && x.most != nil && *x.least == *x.most && n != *x.least:
		return fmt.Sprintf("expected %d calls, got %d", *x.least, n)
	case x.least != nil && n < *x.least:
		return fmt.Sprintf("expected at least %d calls, got %d", *x.least, n)
	case x.most != nil && n > *x.most:
		return fmt.Sprintf("expected at most %d calls, got %d", *x.most, n)
	}
	return ""
}

// showCalls lists the calls that match. If the request expects another number of calls
// and does not get it in the permitted time, the response is a 409.
func (e *Emulator) showCalls(ctx context.Context, c controlCall) response {
	x, err := readExpectation(c.query)
	if err != nil {
		return controlError(400, err.Error())
	}
	m, status := readMatch(c.query), c.query.number("status")
	timer := time.NewTimer(x.within)
	defer timer.Stop()
	for {
		calls, lost, changed := e.journal.find(m, status)
		missed := x.missed(len(calls), lost)
		if missed != "" && x.within > 0 {
			select {
			case <-changed:
				continue
			case <-timer.C:
			case <-ctx.Done():
			case <-e.closed:
			}
		}
		out := object{{"count", len(calls)}, {"dropped", lost},
			{"calls", anyList(calls[max(0, len(calls)-maxShown):], func(c Call) any { return c.view() })}}
		if missed != "" {
			return jsonResponse(409, append(object{{"error", missed}}, out...))
		}
		return jsonResponse(200, out)
	}
}

func (e *Emulator) showClock(context.Context, controlCall) response {
	return jsonResponse(200, object{{"now", timestamp(e.clock.now().UTC().Truncate(time.Microsecond))}, {"frozen", e.clock.frozen()}})
}

func (e *Emulator) postClock(ctx context.Context, c controlCall) response {
	var freeze *bool
	if v, _ := c.body.get("frozen"); v != nil {
		b := v.(bool)
		freeze = &b
	}
	moved := "now"
	err := e.clock.move(func(now time.Time) time.Time {
		if v, _ := c.body.get("now"); v != nil {
			now = v.(time.Time)
		}
		if v, _ := c.body.get("advance"); v != nil {
			now, moved = now.Add(v.(time.Duration)), "advance"
		}
		return now
	}, freeze)
	if err != nil {
		return controlError(400, moved+": "+err.Error())
	}
	return e.showClock(ctx, c)
}

func (e *Emulator) showSettings(context.Context, controlCall) response {
	s := e.Settings()
	return jsonResponse(200, object{{"latency", s.Latency.String()}, {"strict", s.Strict}})
}
