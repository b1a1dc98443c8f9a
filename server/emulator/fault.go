package emulator

import (
	"net/http"
	"strconv"
)

// Fault is a template whose every use, by reading or copying it, goes wrong in a way of its own.
// The request is checked first, as for any template.
type Fault struct {
	ID          string
	Name        string
	Description string
	// Commits is true where a copy comes into being all the same.
	Commits bool
}

// FaultLanguage is the language under which the faults are listed as templates.
const FaultLanguage = "x-fault"

// Faults lists what can be made to go wrong.
func Faults() []Fault {
	list := make([]Fault, len(faults))
	for i := range faults {
		list[i] = faults[i].Fault
	}
	return list
}

type fault struct {
	Fault
	// play answers in place of the operation, which it may do or not.
	play func(e *Emulator, c *call, do func() answer) answer
}

func faultID(n int) string {
	digits := strconv.Itoa(n)
	return "00000000-0000-4000-8000-" + "000000000000"[len(digits):] + digits
}

// faults are numbered by the status that they answer, and from 601 on where it is not about a status.
var faults = []fault{
	{Fault{faultID(429), "rate-limited", "429 with Retry-After: 2", false},
		instead(refusal(429, "RATE_LIMIT_EXCEEDED", "Too many requests").with("Retry-After", "2"))},
	{Fault{faultID(500), "internal-error", "500 in Diga's envelope", false},
		instead(refusal(500, "INTERNAL_SERVER_ERROR", "Something went wrong"))},
	{Fault{faultID(502), "bad-gateway", "502 with a proxy's HTML page", false},
		instead(answer{status: http.StatusBadGateway, contentType: "text/html", raw: []byte(gatewayPage)})},
	{Fault{faultID(503), "unavailable", "503 in Diga's envelope, with Retry-After: 1", false},
		instead(unavailable())},
	{Fault{faultID(601), "hang", "no answer, for as long as the caller waits", false},
		instead(answer{delivery: hanging})},
	{Fault{faultID(602), "reset-before-commit", "a connection reset, and nothing was done", false},
		instead(answer{delivery: reset})},
	{Fault{faultID(603), "reset-after-commit", "a connection reset, after the work was done", true},
		delivered(reset)},
	{Fault{faultID(604), "slow-drip", "a good answer that arrives a few bytes at a time", true},
		delivered(dripping)},
	{Fault{faultID(605), "truncated", "a good answer of which half arrives", true},
		delivered(truncated)},
	{Fault{faultID(606), "drift", "an answer with unknown fields and enum values and odd times", true},
		changed(drift)},
	{Fault{faultID(607), "poor", "an answer that lacks fields which its schema requires", true},
		changed(poor)},
	{Fault{faultID(608), "unavailable-once", "503 with Retry-After: 1 at a token's first use, a good answer at the second, and so on", true},
		everyOther},
}

func findFault(id string) *fault {
	for i := range faults {
		if faults[i].ID == id {
			return &faults[i]
		}
	}
	return nil
}

// template is the fault as a template, which wants neither key nor values.
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

func unavailable() answer {
	return refusal(503, "WORKFLOW_SERVICE_UNAVAILABLE", "The service is not available").with("Retry-After", "1")
}

// instead does nothing and answers.
func instead(a answer) func(*Emulator, *call, func() answer) answer {
	return func(*Emulator, *call, func() answer) answer { return a }
}

// delivered does the work and spoils the delivery of its answer.
func delivered(d delivery) func(*Emulator, *call, func() answer) answer {
	return func(_ *Emulator, _ *call, do func() answer) answer {
		a := do()
		if !a.failed() {
			a.delivery = d
		}
		return a
	}
}

// changed does the work and changes the body of its answer.
func changed(change func(object) object) func(*Emulator, *call, func() answer) answer {
	return func(_ *Emulator, _ *call, do func() answer) answer {
		a := do()
		if !a.failed() {
			a.value = change(a.value)
		}
		return a
	}
}

func everyOther(e *Emulator, c *call, do func() answer) answer {
	refuse, refused := e.store.alternate(c.token)
	switch {
	case refused != nil:
		return *refused
	case refuse:
		return unavailable()
	}
	return do()
}

// drift is what a newer Diga might say: more fields, other enum values, other shapes of time.
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

// poor leaves out what Diga's own sample of an answer leaves out, and every null.
func poor(o object) object {
	out := object{}
	for _, m := range o.without("auth_type", "integration_type", "language") {
		if m.value != nil {
			out = append(out, m)
		}
	}
	return out
}
