package emulator

import (
	"net/http"
	"strconv"
)

// Fault is a template that fails in a particular way whenever it is read or copied. As
// for any template, an invalid request is refused first. Creating an integration or a
// tool whose name is the fault's id fails in the same way.
type Fault struct {
	ID          string
	Name        string
	Description string
	// Commits means that the operation is performed in spite of the failure.
	Commits bool
}

// FaultLanguage is the language of the templates that are faults.
const FaultLanguage = "x-fault"

// Faults returns all faults.
func Faults() []Fault {
	list := make([]Fault, len(faults))
	for i := range faults {
		list[i] = faults[i].Fault
	}
	return list
}

type fault struct {
	Fault
	// play returns the response. It may call do, which performs the operation.
	play func(e *Emulator, c *call, do func() response) response
}

func faultID(n int) string {
	digits := strconv.Itoa(n)
	return "00000000-0000-4000-8000-" + "000000000000"[len(digits):] + digits
}

// The id of a fault ends in the status it responds with; faults that are not about a status start at 601.
var faults = []fault{
	{Fault{faultID(429), "rate-limited", "429 with Retry-After: 2", false},
		instead(refusal(429, "RATE_LIMIT_EXCEEDED", "Too many requests").with("Retry-After", "2"))},
	{Fault{faultID(500), "internal-error", "500 in Diga's envelope", false},
		instead(refusal(500, "INTERNAL_SERVER_ERROR", "Something went wrong"))},
	{Fault{faultID(502), "bad-gateway", "502 with a proxy's HTML page", false},
		instead(response{status: http.StatusBadGateway, contentType: "text/html", raw: []byte(gatewayPage)})},
	{Fault{faultID(503), "unavailable", "503 in Diga's envelope, with Retry-After: 1", false},
		instead(unavailable())},
	{Fault{faultID(601), "hang", "no response, for as long as the caller waits", false},
		instead(response{delivery: hanging})},
	{Fault{faultID(602), "reset-before-commit", "a connection reset, and nothing was done", false},
		instead(response{delivery: reset})},
	{Fault{faultID(603), "reset-after-commit", "a connection reset, after the work was done", true},
		delivered(reset)},
	{Fault{faultID(604), "slow-drip", "a good response that arrives a few bytes at a time", true},
		delivered(dripping)},
	{Fault{faultID(605), "truncated", "a good response of which half arrives", true},
		delivered(truncated)},
	{Fault{faultID(606), "drift", "a response with unknown fields and enum values and odd times", true},
		changed(drift)},
	{Fault{faultID(607), "poor", "a response that lacks fields which its schema requires", true},
		changed(poor)},
	{Fault{faultID(608), "unavailable-once", "503 with Retry-After: 1 at a token's first use, a good response at the second, and so on", true},
		everyOther},
}

// withFault wraps serve for operations whose body contains a name. If the name is the id
// of a fault, the fault decides whether serve is called.
func withFault(serve func(*Emulator, *call) response) func(*Emulator, *call) response {
	return func(e *Emulator, c *call) response {
		if f := findFault(c.body.str("name")); f != nil {
			return f.respond(e, c, func() response { return serve(e, c) })
		}
		return serve(e, c)
	}
}

// respond plays the fault, and adds its name to the response.
func (f *fault) respond(e *Emulator, c *call, do func() response) response {
	resp := f.play(e, c, do)
	resp.fault = f.Name
	return resp
}

func findFault(id string) *fault {
	for i := range faults {
		if faults[i].ID == id {
			return &faults[i]
		}
	}
	return nil
}

// template returns the fault as a template without a key and variables.
func (f *fault) template() object {
	return object{
		{"id", f.ID},
		{"name", "Fault: " + f.Name},
		{"language", FaultLanguage},
		{"description", f.Description},
		{"setup_guide_url", nil},
		{"template", object{
			{"integration_type", "HTTP"},
			{"auth_type", "NONE"},
			{"base_url", "https://faults.example.com"},
			{"headers", object{}},
			{"tools", []any{object{
				{"name", "ping"},
				{"description", "Asks whether the service is there"},
				{"endpoint_path", "/ping"},
				{"method", "GET"},
			}}},
		}},
	}
}

const gatewayPage = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n" +
	"<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"

func unavailable() response {
	return refusal(503, "WORKFLOW_SERVICE_UNAVAILABLE", "The service is not available").with("Retry-After", "1")
}

// instead returns a play that responds with resp and does not perform the operation.
func instead(resp response) func(*Emulator, *call, func() response) response {
	return func(*Emulator, *call, func() response) response { return resp }
}

// delivered returns a play that performs the operation and then fails to deliver its
// response.
func delivered(d delivery) func(*Emulator, *call, func() response) response {
	return func(_ *Emulator, _ *call, do func() response) response {
		resp := do()
		if !resp.failed() {
			resp.delivery = d
		}
		return resp
	}
}

// changed returns a play that performs the operation and changes the body of its
// response.
func changed(change func(object) object) func(*Emulator, *call, func() response) response {
	return func(_ *Emulator, _ *call, do func() response) response {
		resp := do()
		if !resp.failed() {
			resp.value = change(resp.value)
		}
		return resp
	}
}

// everyOther refuses every other call of a token, beginning with the first.
func everyOther(e *Emulator, c *call, do func() response) response {
	refuse, refused := e.store.alternate(c.token)
	switch {
	case refused != nil:
		return *refused
	case refuse:
		return unavailable()
	}
	return do()
}

// drift changes a body as a future version of Diga might: more fields, other enum values,
// other time formats.
func drift(o object) object {
	o = append(object{{"schema_version", integer("7")}}, o...)
	for _, m := range o {
		switch m.key {
		case "auth_type":
			o = o.with(m.key, "OAUTH2")
		case "integration_type":
			o = o.with(m.key, "GRPC")
		case "created_at":
			o = o.with(m.key, m.value.(string)[:19])
		case "updated_at":
			o = o.with(m.key, m.value.(string)[:19]+"+00:00")
		}
	}
	return o.with("owner", object{{"id", integer("42")}, {"tags", []any{"a", nil, 1.5}}})
}

// poor removes the fields that Diga's own sample response lacks, and every null.
func poor(o object) object {
	out := object{}
	for _, m := range o.without("auth_type", "integration_type", "language") {
		if m.value != nil {
			out = append(out, m)
		}
	}
	return out
}
