package emulator

import (
	"crypto/sha256"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxBody bounds a request body. A larger one is refused with 413.
const maxBody = 1 << 20

// call is one request. A handler gets it after authentication and validation.
type call struct {
	operation     string
	raw           []byte // the body as it was sent
	authenticated bool
	token         sha256sum
	path          map[string]string // ids in canonical form
	query         object
	body          object
}

type sha256sum = [sha256.Size]byte

// route serves one operation.
type route struct {
	method, pattern string
	operation       string // its name
	query           []field
	body            checker // nil for none
	serve           func(*Emulator, *call) response
}

// routes are tried in order, like FastAPI's.
var routes = []route{
	{"GET", "/v1/integration/template", "list_templates", append(paging(20), optional("language", anyString, "es")), nil, (*Emulator).listTemplates},
	{"GET", "/v1/integration/template/{template_id}", "get_template", nil, nil, (*Emulator).getTemplate},
	{"POST", "/v1/integration/template/{template_id}/copy", "copy_template", nil, copyBody, (*Emulator).copyTemplate},
	{"GET", "/v1/integration", "list_integrations", append(paging(50), optional("integration_type", integrationType, nil)), nil, (*Emulator).listIntegrations},
	{"POST", "/v1/integration", "create_integration", nil, createIntegrationBody, withFault((*Emulator).createIntegration)},
	{"GET", "/v1/integration/{integration_id}", "get_integration", nil, nil, (*Emulator).getIntegration},
	{"PATCH", "/v1/integration/{integration_id}", "update_integration", nil, updateIntegrationBody, (*Emulator).updateIntegration},
	{"DELETE", "/v1/integration/{integration_id}", "delete_integration", nil, nil, (*Emulator).deleteIntegration},
	{"POST", "/v1/integration/{integration_id}/tool", "create_tool", nil, createToolBody, withFault((*Emulator).createTool)},
	{"GET", "/v1/integration/{integration_id}/tool", "list_tools", paging(20), nil, (*Emulator).listTools},
	{"GET", "/v1/integration/{integration_id}/tool/{tool_id}", "get_tool", nil, nil, (*Emulator).getTool},
	{"PATCH", "/v1/integration/{integration_id}/tool/{tool_id}", "update_tool", nil, updateToolBody, (*Emulator).updateTool},
	{"DELETE", "/v1/integration/{integration_id}/tool/{tool_id}", "delete_tool", nil, nil, (*Emulator).deleteTool},
	{"PATCH", "/v1/integration/{integration_id}/tool-approval", "approve_tools", nil, toolApprovalBody, (*Emulator).approveTools},
}

// parameter is a path parameter as it was sent.
type parameter struct{ name, value string }

// match compares a decoded path, as Starlette does: %2F separates segments like any slash.
func (t *route) match(path string) ([]parameter, bool) {
	var found []parameter
	pattern := t.pattern
	for {
		want, moreWanted, last := strings.Cut(pattern, "/")
		got, more, end := strings.Cut(path, "/")
		switch {
		case last != end:
			return nil, false
		case strings.HasPrefix(want, "{") && got != "":
			found = append(found, parameter{strings.Trim(want, "{}"), got})
		case want != got:
			return nil, false
		}
		if !last {
			return found, true
		}
		pattern, path = moreWanted, more
	}
}

// find returns the route of a request and its path parameters. If no route matches, the response is a
// 405 that allows the first route's method, a redirect to the path without its last slash, or a 404.
func find(r *http.Request) (*route, []parameter, response) {
	path := r.URL.Path
	var other *route
	for i := range routes {
		found, ok := routes[i].match(path)
		switch {
		case ok && routes[i].method == r.Method:
			return &routes[i], found, response{}
		case ok && other == nil:
			other = &routes[i]
		}
	}
	if other != nil {
		return nil, nil, detail(405, "Method Not Allowed").with("Allow", other.method)
	}
	if trimmed := strings.TrimRight(path, "/"); trimmed != path {
		for i := range routes {
			if _, ok := routes[i].match(trimmed); ok {
				return nil, nil, redirect(r, trimmed)
			}
		}
	}
	return nil, nil, detail(404, "Not Found")
}

func redirect(r *http.Request, path string) response {
	to := url.URL{Scheme: "http", Host: r.Host, Path: path, RawQuery: r.URL.RawQuery}
	if r.TLS != nil {
		to.Scheme = "https"
	}
	return response{status: 307}.with("Location", to.String())
}

// respond carries out a request and returns the response, which is not sent yet. It fills in c as far as
// it understands the request. It returns false if the caller left before the request was complete.
func (e *Emulator) respond(w http.ResponseWriter, r *http.Request, c *call, strict bool) (response, bool) {
	t, path, none := find(r)
	if t == nil {
		return none, true
	}
	c.operation = t.operation
	var err error
	c.raw, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return detail(413, "Request Entity Too Large"), true
	} else if err != nil {
		return response{}, false
	}
	p := problems{strict: strict}
	var body any
	if t.body != nil {
		kind := r.Header.Get("Content-Type")
		if strict && kind == "" {
			kind = "application/octet-stream"
		}
		var refused *response
		if body, refused = readBody(c.raw, kind); refused != nil {
			return *refused, true
		}
	}
	token, refused := bearer(r.Header)
	if refused != nil {
		return *refused, true
	}
	c.token, c.authenticated = token, true
	for _, param := range path {
		if id, ok := anyUUID(&p, location{"path", param.name}, readable(param.value)); ok {
			c.path[param.name] = id.(string)
		}
	}
	c.query = readQuery(&p, r.URL.RawQuery, t.query)
	switch {
	case t.body != nil && body == nil:
		p.add("missing", location{"body"}, "Field required", nil, nil)
	case t.body != nil:
		if v, ok := t.body(&p, location{"body"}, body); ok {
			c.body = v.(object)
		}
	case strict && len(c.raw) > 0:
		p.add("extra_forbidden", location{"body"}, "Extra inputs are not permitted", nil, nil)
	}
	if p.any() {
		return p.response(), true
	}
	return e.carryOut(c, func() response { return t.serve(e, c) }), true
}

// bearer returns the digest of the caller's token, the only form in which the token is kept.
func bearer(h http.Header) (sha256sum, *response) {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		resp := refusal(401, "UNAUTHORIZED", "A bearer token is required")
		return sha256sum{}, &resp
	}
	return sha256.Sum256([]byte(token)), nil
}

// readBody reads a body as FastAPI does: as JSON if the content type says so or is missing, as plain
// text otherwise. An empty body is nil.
func readBody(raw []byte, contentType string) (any, *response) {
	if len(raw) == 0 {
		return nil, nil
	}
	if contentType != "" && !isJSON(contentType) {
		return string(raw), nil
	}
	v, err := decodeJSON(raw)
	if err == nil {
		return v, nil
	}
	resp := detail(400, "There was an error parsing the body")
	if syntax := (*syntaxError)(nil); errors.As(err, &syntax) {
		var p problems
		p.add("json_invalid", location{"body", syntax.position}, "JSON decode error", object{}, object{{"error", syntax.message}})
		resp = p.response()
	}
	return nil, &resp
}

func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil && media == "" {
		media, _, _ = strings.Cut(strings.ToLower(contentType), ";")
	}
	kind, sub, _ := strings.Cut(strings.TrimSpace(media), "/")
	return kind == "application" && (sub == "json" || strings.HasSuffix(sub, "+json"))
}

// readQuery validates the query parameters of a route; the last of several values counts.
func readQuery(p *problems, raw string, fields []field) object {
	given := map[string]string{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		given[unescape(name)] = unescape(value)
	}
	if p.strict {
		var sent object
		for name, value := range given {
			sent = append(sent, member{name, value})
		}
		slices.SortFunc(sent, func(a, b member) int { return strings.Compare(a.key, b.key) })
		p.known(location{"query"}, sent, fields)
	}
	var out object
	for _, f := range fields {
		value, present := given[f.name]
		if !present {
			out = append(out, member{f.name, f.fallback})
			continue
		}
		if v, ok := f.check(p, location{"query", f.name}, value); ok {
			out = append(out, member{f.name, v})
		}
	}
	return out
}

// unescape decodes a query component; an invalid escape stays as it is.
func unescape(s string) string {
	var b strings.Builder
	for s != "" {
		switch {
		case s[0] == '+':
			b.WriteByte(' ')
		case s[0] == '%' && len(s) > 2:
			if c, err := url.PathUnescape(s[:3]); err == nil {
				b.WriteString(c)
				s = s[3:]
				continue
			}
			b.WriteByte('%')
		default:
			b.WriteByte(s[0])
		}
		s = s[1:]
	}
	return readable(b.String())
}

// readable replaces invalid UTF-8.
func readable(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
