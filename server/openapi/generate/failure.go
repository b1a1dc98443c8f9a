package main

import (
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
)

// failure is an error status of a response.
type failure struct {
	status, name string
	text         string
	// header are the headers in addition to those of every failure.
	header []string
	body   object // an example
	// of reports whether the status can occur for a method. Nil means all methods.
	of func(m *contract.Method) bool
}

func envelope(reason, message string) object {
	return object{{"status", "error"}, {"error_code", reason}, {"message", message}}
}

func hasBody(m *contract.Method) bool { return m.Binding == nil || m.Binding.Body != nil }

func isWrite(m *contract.Method) bool { return m.Write }

// failureList are the error statuses that digate itself gives, and those that Diga
// documents. Any other status from 400 to 599 from Diga is passed on.
var failureList = []failure{
	{"400", "BadRequest", "Diga refused the request.", nil, envelope("INTEGRATION_NOT_HTTP", "The tools of this integration cannot be changed"), nil},
	{"401", "Unauthorized", "The credential is missing or malformed (`MISSING_CREDENTIAL`), it is nobody's (`INVALID_CREDENTIAL`), or Diga did not accept it.", []string{"WWW-Authenticate"},
		envelope(apierror.ReasonMissingCredential, "a bearer token is required"), nil},
	{"403", "Forbidden", "Diga, or the server's file of accounts (`NOT_ALLOWED`), does not allow the caller to do this.", nil,
		envelope(apierror.ReasonNotAllowed, "the caller may not do this"), nil},
	{"404", "NotFound", "There is no such template, integration or tool.", nil, envelope("INTEGRATION_TEMPLATE_NOT_FOUND", "There is no such integration template"), nil},
	{"409", "Conflict", "One of these:\n\n- Diga refused the request, for example because the name is taken.\n- `OUTCOME_UNKNOWN`: an earlier request with this `Idempotency-Key` was sent, and its result is not known.\n- `ALREADY_CREATED`: an earlier request with this `Idempotency-Key` created something, which cannot be read now.", nil,
		envelope(apierror.ReasonOutcomeUnknown, "an earlier call with this request id was sent and its outcome is not known; it is not sent again until that is settled"), isWrite},
	{"412", "PreconditionFailed", "Diga refused the request in the account's present state.", nil, envelope("PRECONDITION_FAILED", "Something has to be done first"), nil},
	{"413", "TooLarge", "The body has more bytes, or more lines, than the server takes (`REQUEST_TOO_LARGE`).", nil,
		envelope(apierror.ReasonRequestTooLarge, "the request is larger than 1048576 bytes"), hasBody},
	{"422", "Refused", "digate refused a value before anything was sent, or Diga refused one.", nil,
		object{{"detail", []object{{{"type", "uuid_parsing"}, {"loc", []any{"path", "template_id"}}, {"msg", "must be a valid UUID"}}}}}, nil},
	{"429", "TooMany", "One of these:\n\n- Diga limits the rate of requests.\n- `QUOTA_EXCEEDED`: a quota of the caller or the account is used up.\n- `LEDGER_SHARE_EXCEEDED`: the caller has its share of the idempotency keys that the server remembers.", []string{"Retry-After"},
		envelope("RATE_LIMIT_EXCEEDED", "Too many requests"), nil},
	{"499", "CallerLeft", "The caller left before the response. Only logs and proxies see this status.", nil,
		envelope(apierror.ReasonOutcomeUnknown, "the call was cancelled after it was sent"), nil},
	{"500", "InternalError", "Diga failed, or digate did (`INTERNAL_ERROR`).", nil, envelope("INTERNAL_SERVER_ERROR", "Something went wrong"), nil},
	{"501", "NotImplemented", "Diga, or this server (`UNKNOWN_METHOD`), does not have the operation.", []string{"Retry-After"}, envelope(apierror.ReasonUnknownMethod, "there is no such method"), nil},
	{"502", "BadGateway", "The request was sent. Its response was lost, or did not come from Diga.", []string{"Retry-After"},
		envelope(apierror.ReasonOutcomeUnknown, "the connection broke after the request was sent"), nil},
	{"503", "Unavailable", "Nothing was done. One of these holds, and the request may be sent again later:\n\n- Diga cannot be reached, or failed too often of late.\n- digate or Diga is overloaded.\n- digate cannot reach something that the request needs, such as its ledger.", []string{"Retry-After"},
		envelope(apierror.ReasonUnreachable, "Diga could not be reached; nothing was sent"), nil},
	{"504", "Timeout", "There was no response in time. `DEADLINE_BEFORE_SEND`: nothing was sent. `OUTCOME_UNKNOWN`: the request was sent.", []string{"Retry-After"},
		envelope(apierror.ReasonOutcomeUnknown, "Diga did not respond in time"), nil},
	{"4XX", "OtherRefusal", "Any other refusal of Diga's, or a 405 of digate's: the path does not have the method.", []string{"Allow", "Retry-After"}, nil, nil},
	{"5XX", "OtherFailure", "Any other failure of Diga's, or of a proxy in front of it.", []string{"Retry-After"}, nil, nil},
}

// failuresOf returns the error responses of a method.
func failuresOf(m *contract.Method) object {
	var all object
	for _, f := range failureList {
		if f.of == nil || f.of(m) {
			all = all.with(f.status, ref("responses", f.name))
		}
	}
	return all
}

// bulkFailures returns the error responses of a whole bulk request. The error of a single
// copy is in its line.
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

// failures returns the error responses, by name.
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

// errorShapes adds the schemas of error bodies.
func (d *document) errorShapes() {
	s := d.schemas
	s.add("Outcome", object{
		{"type", "string"}, {"enum", []string{"NOT_SENT", "REJECTED", "UNKNOWN", "DONE"}},
		{"description", "What the caller of a failed request may conclude.\n\n- `NOT_SENT`: nothing was sent to Diga, so Diga did nothing.\n- `REJECTED`: Diga refused the request and did nothing.\n- `UNKNOWN`: the request was sent and its result is not known. Diga may have done what was asked.\n- `DONE`: Diga did what was asked, and digate cannot show it."},
	})
	one := s.add("Envelope", object{
		{"type", "object"}, {"description", "Diga's envelope of an error."}, {"required", []string{"error_code", "message"}},
		{"properties", object{
			{"status", text("`error`.")},
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
			{"description", "The values, or a text. Only Diga gives a text."},
		}}}},
	})
	s.add("Error", object{{"description", "The body of every failure."}, {"anyOf", []object{one, list}}})
	s.add("StreamSummary", closed("The last line of a stream that is complete.", object{{"summary", closed("What the stream had.", object{{"items", count("How many items the stream had.")}})}}))
	s.add("StreamFailure", closed("The last line of a stream that failed after its first item. The lines before it are complete items.", failedLine()))
}
