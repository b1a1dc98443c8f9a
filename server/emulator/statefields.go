package emulator

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// stateFields are the fields of a state.
var stateFields = []field{
	optional("templates", listOf(stateTemplate, 0), nil),
	optional("accounts", listOf(stateAccount, 0), nil),
	optional("faults", listOf(stateRule, 0), nil),
	optional("latency", latencyText, nil),
	optional("strict", anyBoolean, nil),
}

// stateTemplate checks a template, as Diga lists it. Its inner template is of the emulator's own shape.
func stateTemplate(p *problems, at location, in any) (any, bool) {
	return model(
		required("id", anyUUID),
		required("name", anyString),
		optional("language", anyString, "es"),
		optional("description", nullable(anyString), nil),
		optional("setup_guide_url", nullable(anyString), nil),
		required("template", plan),
	)(p, at, in)
}

// plan checks the inner template: what a copy of it gets. Fields that the emulator does not know are kept.
func plan(p *problems, at location, in any) (any, bool) {
	strict := p.strict
	p.strict = false
	defer func() { p.strict = strict }()
	read, ok := model(
		optional("integration_type", integrationType, "HTTP"),
		optional("auth_type", oneOf("enum", "NONE", "API_KEY"), "NONE"),
		required("base_url", anyString),
		optional("headers", nullable(stringMap), nil),
		optional("tools", listOf(dictOf(nil), 0), []any{}),
	)(p, at, in)
	if !ok {
		return nil, false
	}
	for i, tool := range read.(object).list("tools") {
		if _, fine := planTool(read.(object).str("integration_type"))(p, at.at("tools").at(i), tool); !fine {
			ok = false
		}
	}
	out := in.(object)
	for _, m := range read.(object)[:2] {
		out = out.with(m.key, m.value)
	}
	return out, ok
}

// planTool returns the checker for a tool of a template.
func planTool(kind string) checker {
	if kind == "HTTP" {
		return createToolBody
	}
	return model(
		required("name", anyString),
		optional("description", nullable(anyString), nil),
		optional("parameters", nullable(dictOf(nil)), nil),
		optional("approval_required", anyBoolean, false),
	)
}

func stateAccount(p *problems, at location, in any) (any, bool) {
	out, ok := patch(
		optional("token", anyString, nil),
		optional("token_sha256", anyDigest, nil),
		optional("integrations", listOf(stateIntegration, 0), nil),
	)(p, at, in)
	if ok && readToken(out.(object)) == nil {
		p.add("missing", at.at("token"), "Field required", in, nil)
		return nil, false
	}
	return out, ok
}

// stateIntegration checks an integration, as Diga shows it, and returns it as it is stored. Ids and times
// may be left out, and requires_setup is ignored.
func stateIntegration(p *problems, at location, in any) (any, bool) {
	read, ok := model(
		optional("id", anyUUID, nil),
		required("name", anyString),
		optional("description", nullable(anyString), nil),
		required("base_url", anyString),
		optional("auth_type", oneOf("enum", "NONE", "API_KEY"), "NONE"),
		optional("integration_type", integrationType, "HTTP"),
		optional("auth_key", nullable(anyString), nil),
		optional("headers", nullable(stringMap), nil),
		optional("requires_setup", anyBoolean, nil),
		optional("source_integration_template_id", nullable(anyUUID), nil),
		optional("created_at", anyTime, nil),
		optional("updated_at", anyTime, nil),
		optional("tools", listOf(dictOf(nil), 0), []any{}),
	)(p, at, in)
	if !ok {
		return nil, false
	}
	o := read.(object)
	it := integration{
		id: o.str("id"), name: o.str("name"), description: o.text("description"), baseURL: o.str("base_url"),
		kind: o.str("integration_type"), needsKey: o.str("auth_type") == "API_KEY", authKey: o.text("auth_key"),
		headers: o.sub("headers"), source: o.text("source_integration_template_id"),
	}
	for name, to := range map[string]*time.Time{"created_at": &it.created, "updated_at": &it.updated} {
		if v, _ := o.get(name); v != nil {
			*to = v.(time.Time)
		}
	}
	for i, tool := range o.list("tools") {
		read, fine := stateTool(it.kind)(p, at.at("tools").at(i), tool)
		if !fine {
			ok = false
			continue
		}
		it.tools = append(it.tools, read.(object))
	}
	return it, ok
}

// stateTool returns the checker for a tool of an integration. A tool's id may be left out.
func stateTool(kind string) checker {
	return func(p *problems, at location, in any) (any, bool) {
		o, ok := in.(object)
		if !ok {
			return planTool(kind)(p, at, in)
		}
		strict := p.strict
		p.strict = false // the other fields are checked below
		head, ok := model(optional("id", anyUUID, nil), optional("type", oneOf("enum", kind), kind))(p, at, o)
		p.strict = strict
		rest, fine := planTool(kind)(p, at, o.without("id", "type"))
		if !ok || !fine {
			return nil, false
		}
		return append(head.(object), rest.(object)...), true
	}
}

// ruleFields are the fields of a rule.
var ruleFields = []field{
	optional("name", anyString, nil),
	optional("match", patch(matchFields...), nil),
	optional("after", within(anyInteger, &zero, nil), nil),
	optional("times", within(anyInteger, &one, nil), nil),
	optional("one_in", within(anyInteger, &one, nil), nil),
	optional("for", span, nil),
	optional("delay", latencyText, nil),
	optional("fault", faultName, nil),
	optional("response", ruleResponse, nil),
	optional("commit", anyBoolean, nil),
}

// stateRule checks a rule, and returns it as a *rule.
func stateRule(p *problems, at location, in any) (any, bool) {
	read, ok := patch(ruleFields...)(p, at, in)
	if !ok {
		return nil, false
	}
	o := read.(object)
	r := &rule{
		name: o.str("name"), match: readMatch(o.sub("match")),
		after: o.number("after"), times: o.number("times"), oneIn: o.number("one_in"),
	}
	if v, _ := o.get("for"); v != nil {
		r.window = v.(time.Duration)
	}
	if v, _ := o.get("delay"); v != nil {
		r.delay = v.(Latency)
	}
	if v, _ := o.get("fault"); v != nil {
		r.fault = v.(*fault)
	}
	if v, _ := o.get("response"); v != nil {
		resp := v.(givenResponse)
		r.response, r.given = &resp.response, resp.given
	}
	if v, _ := o.get("commit"); v != nil {
		r.commit = v.(bool)
	}
	switch {
	case r.fault != nil && r.response != nil:
		p.add("value_error", at, "A rule has a fault or a response, not both", in, nil)
	case r.fault == nil && r.response == nil && len(r.delay.points) == 0:
		p.add("missing", at, "A rule has a fault, a response or a delay", in, nil)
	case r.commit && (r.fault == nil && r.response == nil || r.fault != nil && r.fault.Commits):
		p.add("value_error", at.at("commit"), "The work is done in any case", in, nil)
	default:
		return r, true
	}
	return nil, false
}

var zero = 0

// number returns the integer under key, or 0.
func (o object) number(key string) int {
	v, _ := o.get(key)
	n, _ := v.(integer)
	return n.clamp0()
}

// clamp0 returns 0 for no integer, and the integer as an int otherwise.
func (i integer) clamp0() int {
	if i == "" {
		return 0
	}
	return i.clamp()
}

// givenResponse is a response that a rule names.
type givenResponse struct {
	response response
	given    object
}

// maxRuleBody bounds the body of a rule's response.
const maxRuleBody = 64 << 10

// responseFields are the fields of a rule's response.
var responseFields = []field{
	required("status", within(anyInteger, &leastStatus, &mostStatus)),
	optional("error_code", anyString, nil),
	optional("message", anyString, nil),
	optional("retry_after", within(anyInteger, &zero, nil), nil),
	optional("headers", dictOf(headerValue), nil),
	optional("body", anyValue, nil),
}

// ruleResponse checks a response: a status, and a body or an error in Diga's envelope.
func ruleResponse(p *problems, at location, in any) (any, bool) {
	read, ok := patch(responseFields...)(p, at, in)
	if !ok {
		return nil, false
	}
	o := read.(object)
	body, hasBody := o.get("body")
	code, hasCode := o.get("error_code")
	resp := response{status: o.number("status")}
	switch v := body.(type) {
	case object:
		resp.value = v
	case string:
		resp.raw, resp.contentType = []byte(v), "text/plain; charset=utf-8"
	default:
		if hasBody {
			resp.raw, _ = appendJSON(nil, v) // the whole document can be rendered
		}
	}
	switch {
	case hasBody && hasCode:
		p.add("value_error", at, "A response has a body or an error_code, not both", in, nil)
		return nil, false
	case hasCode:
		resp = refusal(resp.status, code.(string), o.str("message"))
	}
	if n := len(resp.raw) + sizeOf(resp.value); n > maxRuleBody {
		p.add("too_long", at.at("body"), "A body has at most "+strconv.Itoa(maxRuleBody)+" bytes", in, nil)
		return nil, false
	}
	for _, m := range o.sub("headers") {
		if strings.EqualFold(m.key, "Content-Type") {
			resp.contentType = m.value.(string)
			continue
		}
		if !validName(m.key) {
			p.add("value_error", at.at("headers").at(m.key), "No header has this name", in, nil)
			return nil, false
		}
		resp = resp.with(m.key, m.value.(string))
	}
	if v, ok := o.get("retry_after"); ok {
		resp = resp.with("Retry-After", string(v.(integer)))
	}
	return givenResponse{resp, in.(object)}, true
}

var leastStatus, mostStatus = 200, 599

func anyValue(_ *problems, _ location, in any) (any, bool) { return in, true }

func headerValue(p *problems, at location, in any) (any, bool) {
	if s, ok := in.(string); ok && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return s, true
	}
	p.add("string_type", at, "Input should be a valid string, without control characters", in, nil)
	return nil, false
}

// validName reports whether a response may have a header of this name, which is not one that describes
// the body's length or the connection.
func validName(name string) bool {
	const special = "!#$%&'*+-.^_`|~"
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(special, r)
	}) {
		return false
	}
	switch http.CanonicalHeaderKey(name) {
	case "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade":
		return false
	}
	return true
}

// latencyText checks what ParseLatency reads, and returns a Latency.
func latencyText(p *problems, at location, in any) (any, bool) {
	text, ok := in.(string)
	l, err := ParseLatency(text)
	if !ok || err != nil {
		p.add("latency_parsing", at, "Input should be a duration such as 20ms, or percentiles such as p50=20ms,p99=800ms", in, nil)
		return nil, false
	}
	return l, true
}

// span checks a duration, and returns it.
func span(p *problems, at location, in any) (any, bool) {
	text, ok := in.(string)
	d, err := time.ParseDuration(text)
	if !ok || err != nil || d < 0 {
		p.add("time_delta_parsing", at, "Input should be a duration, such as 1.5s or 2m", in, nil)
		return nil, false
	}
	return d, true
}

// anyTime checks a time in the form of RFC 3339, and returns it in UTC.
func anyTime(p *problems, at location, in any) (any, bool) {
	text, ok := in.(string)
	when, err := time.Parse(time.RFC3339Nano, text)
	when = when.UTC().Truncate(time.Microsecond)
	if !ok || err != nil || when.Year() < 1 || when.Year() > 9999 {
		p.add("datetime_parsing", at, "Input should be a time in the form of RFC 3339, such as 2026-01-31T08:00:00Z", in, nil)
		return nil, false
	}
	return when, true
}

// faultName checks the name of a fault, and returns the fault.
func faultName(p *problems, at location, in any) (any, bool) {
	names := make([]string, len(faults))
	for i := range faults {
		if names[i] = faults[i].Name; in == names[i] {
			return &faults[i], true
		}
	}
	return oneOf("enum", names...)(p, at, in)
}

// operationName checks the name of an operation.
func operationName(p *problems, at location, in any) (any, bool) {
	return oneOf("enum", Operations()...)(p, at, in)
}

// Operations returns the names of Diga's operations, by which a Match names them.
func Operations() []string {
	names := make([]string, len(routes))
	for i := range routes {
		names[i] = routes[i].operation
	}
	return names
}
