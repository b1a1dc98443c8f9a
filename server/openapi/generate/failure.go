package main

import (
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
)

// failure is a status that a request may fail with.
type failure struct {
	status, name string
	text         string
	// header are headers beside those of every failure.
	header []string
	body   object // an example
	// of reports whether a method may fail so; nil for all.
	of func(m *contract.Method) bool
}

func envelope(reason, message string) object {
	return object{{"status", "error"}, {"error_code", reason}, {"message", message}}
}

func hasBody(m *contract.Method) bool { return m.Binding == nil || m.Binding.Body != nil }

func isWrite(m *contract.Method) bool { return m.Write }

// failureList are the statuses that digate gives by itself, and those of Diga that it
// documents. Any other status of Diga's from 400 to 599 is passed on.
var failureList = []failure{
	{"400", "BadRequest", "Diga refuses the request.", nil, envelope("INTEGRATION_NOT_HTTP", "The tools of this integration cannot be changed"), nil},
	{"401", "Unauthorized", "There is no well-formed credential (`MISSING_CREDENTIAL`), nobody knows it (`INVALID_CREDENTIAL`), or Diga does not accept it.", []string{"WWW-Authenticate"},
		envelope(apierror.ReasonMissingCredential, "a bearer token is required"), nil},
	{"403", "Forbidden", "The credential does not allow the request, for Diga or by the server's file of accounts (`NOT_ALLOWED`).", nil,
		envelope(apierror.ReasonNotAllowed, "the caller may not do this"), nil},
	{"404", "NotFound", "There is no such thing.", nil, envelope("INTEGRATION_TEMPLATE_NOT_FOUND", "There is no such integration template"), nil},
	{"409", "Conflict", "Diga refuses, because there is something of that name; or the `Idempotency-Key` is that of a request that was sent and whose outcome is not known (`OUTCOME_UNKNOWN`), or that created something which cannot be read now (`ALREADY_CREATED`).", nil,
		envelope(apierror.ReasonOutcomeUnknown, "an earlier call with this request id was sent and its outcome is not known; it is not sent again until that is settled"), isWrite},
	{"412", "PreconditionFailed", "Diga refuses the request in the state that the account is in.", nil, envelope("PRECONDITION_FAILED", "Something has to be done first"), nil},
	{"413", "TooLarge", "The body, or the number of its lines, is above the server's bound (`REQUEST_TOO_LARGE`).", nil,
		envelope(apierror.ReasonRequestTooLarge, "the request is larger than 1048576 bytes"), hasBody},
	{"422", "Refused", "A value is refused, by digate before anything is sent, or by Diga.", nil,
		object{{"detail", []object{{{"type", "uuid_parsing"}, {"loc", []any{"path", "template_id"}}, {"msg", "must be a valid UUID"}}}}}, nil},
	{"429", "TooMany", "Diga limits the rate, or a quota of the caller or the account is used up (`QUOTA_EXCEEDED`), or the caller has its share of the request ids that the server remembers (`LEDGER_SHARE_EXCEEDED`).", []string{"Retry-After"},
		envelope("RATE_LIMIT_EXCEEDED", "Too many requests"), nil},
	{"499", "CallerLeft", "The caller has left. Only logs and proxies see this status.", nil,
		envelope(apierror.ReasonOutcomeUnknown, "the call was cancelled after it was sent"), nil},
	{"500", "InternalError", "Diga failed, or digate did (`INTERNAL_ERROR`).", nil, envelope("INTERNAL_SERVER_ERROR", "Something went wrong"), nil},
	{"501", "NotImplemented", "This server does not have the operation (`UNKNOWN_METHOD`).", nil, envelope(apierror.ReasonUnknownMethod, "there is no such method"), nil},
	{"502", "BadGateway", "The request was sent, and its response was lost, or is no response of Diga's.", []string{"Retry-After"},
		envelope(apierror.ReasonOutcomeUnknown, "the connection broke after the request was sent"), nil},
	{"503", "Unavailable", "Nothing was done: Diga could not be reached or failed too often, digate or Diga is overloaded, or something that the request needs is away.", []string{"Retry-After"},
		envelope(apierror.ReasonUnreachable, "Diga could not be reached; nothing was sent"), nil},
	{"504", "Timeout", "There was no response in time; nothing was sent (`DEADLINE_BEFORE_SEND`), or the outcome is not known (`OUTCOME_UNKNOWN`).", nil,
		envelope(apierror.ReasonOutcomeUnknown, "Diga did not respond in time"), nil},
	{"4XX", "OtherRefusal", "Any other refusal of Diga's; and a 405 of digate's for a method that the path does not have.", []string{"Allow", "Retry-After"}, nil, nil},
	{"5XX", "OtherFailure", "Any other failure of Diga's, or of a proxy before it.", []string{"Retry-After"}, nil, nil},
}

// failuresOf returns the responses to requests of a method that fail.
func failuresOf(m *contract.Method) object {
	var all object
	for _, f := range failureList {
		if f.of == nil || f.of(m) {
			all = all.with(f.status, ref("responses", f.name))
		}
	}
	return all
}

// bulkFailures returns the responses to bulk requests that are refused whole. The
// failure of a copy is in its line.
func bulkFailures() object {
	var all object
	for _, f := range failureList {
		switch f.status {
		case "401", "403", "413", "422", "429", "503", "4XX", "5XX":
			all = all.with(f.status, ref("responses", f.name))
		}
	}
	return all
}

// failures returns the responses to requests that fail, by name.
func (d *document) failures() object {
	var all object
	for _, f := range failureList {
		content := object{{"schema", ref("schemas", "Error")}}
		if f.body != nil {
			content = content.with("example", f.body)
		}
		headers := append([]string{"Digate-Outcome", "X-Request-Id", "Preference-Applied"}, f.header...)
		all = all.with(f.name, object{
			{"description", f.text}, {"headers", headersOf(headers...)}, {"content", object{{"application/json", content}}},
		})
	}
	return all
}

// errorShapes adds the schemas of failures.
func (d *document) errorShapes() {
	s := d.schemas
	s.add("Outcome", object{
		{"type", "string"}, {"enum", []string{"NOT_SENT", "REJECTED", "UNKNOWN", "DONE"}},
		{"description", "What the caller of a failed request may conclude.\n\n- `NOT_SENT`: nothing was sent to Diga, so Diga did nothing.\n- `REJECTED`: Diga responded and did nothing.\n- `UNKNOWN`: the request was sent and its result is not known. Diga may have done what was asked.\n- `DONE`: it was done, now or before, and cannot be shown."},
	})
	one := s.add("Envelope", object{
		{"type", "object"}, {"description", "Diga's envelope of an error."}, {"required", []string{"error_code", "message"}},
		{"properties", object{
			{"status", text("Always `error`, in digate's own errors.")},
			{"error_code", text("Diga's code, or a reason of digate's, such as `UPSTREAM_UNREACHABLE`.")},
			{"message", text("What went wrong, for people.")},
		}},
	})
	entry := s.add("RefusedValue", object{
		{"type", "object"}, {"description", "A value that is refused."}, {"required", []string{"msg"}},
		{"properties", object{
			{"type", text("The kind of mistake.")},
			{"loc", object{
				{"type", "array"}, {"items", object{{"anyOf", []object{{{"type", "string"}}, {{"type", "integer"}}}}}},
				{"description", "Where the value is: `path`, `query`, `header` or `body`, then the names and positions that lead to it."},
			}},
			{"msg", text("What is wrong with the value, for people.")},
			{"input", object{{"description", "The value. Only Diga gives it."}}},
			{"ctx", object{{"type", "object"}, {"description", "What the message is made of. Only Diga gives it."}}},
			{"url", text("A page about the mistake. Only Diga gives it.")},
		}},
	})
	list := s.add("RefusedValues", object{
		{"type", "object"}, {"description", "The values that are refused."}, {"required", []string{"detail"}},
		{"properties", object{{"detail", object{
			{"anyOf", []object{{{"type", "array"}, {"items", entry}, {"minItems", 1}}, {{"type", "string"}}}},
			{"description", "A list of values. Diga may give a text in its place."},
		}}}},
	})
	s.add("Error", object{{"description", "The body of every failure."}, {"anyOf", []object{one, list}}})
	s.add("StreamSummary", closed("The last line of a whole stream.", object{{"summary", closed("What was in the stream.", object{{"items", count("The items in the stream.")}})}}))
	s.add("StreamFailure", closed("The last line of a stream that failed after its first item. What came before is whole.", failedLine()))
}
