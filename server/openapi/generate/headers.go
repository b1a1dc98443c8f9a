package main

// everywhere are the headers that mean something to every operation.
var everywhere = []string{"Digate-Account", "Digate-Timeout", "Prefer", "X-Request-Id"}

func requestHeader(name, description string, schema object, example any) member {
	return member{name, object{{"name", name}, {"in", "header"}, {"description", description}, {"schema", schema}, {"example", example}}}
}

// requestHeaders are the headers of requests, beside the credential.
var requestHeaders = object{
	requestHeader("Idempotency-Key",
		"Identifies the request among its caller's requests of this operation: 1 to 255 printable ASCII characters, preferably random, with or without the quotes of its draft standard. A request with the same key and the same content is not sent again: the response has what the first one created. With another content it is a 422. Servers with `--require-request-id` refuse requests without it.",
		object{{"type", "string"}, {"minLength", 1}, {"maxLength", 255}, {"pattern", "^[ -~]+$"}}, "6f1c7a52-0a8e-4b57-9d5f-3c2b1a09e8d7"),
	requestHeader("Digate-Account",
		"The account that the request is for, on a server with accounts, if the caller has several. Others ignore it.",
		object{{"type", "string"}}, "main"),
	requestHeader("Digate-Timeout",
		"The seconds that the request may take, above 0: digits with or without a decimal point. The server's `--max-deadline` bounds them. When they are over, the response is a 504.",
		object{{"type", "string"}, {"pattern", `^(0*[1-9][0-9]*(\.[0-9]*)?|0*\.0*[1-9][0-9]*)$`}}, "2.5"),
	requestHeader("Prefer",
		"`wait=N` (RFC 7240) bounds the seconds for which digate waits before it sends the request, or sends it again. A request under way is not cut short. Anything else is ignored.",
		object{{"type", "string"}}, "wait=5"),
	requestHeader("X-Request-Id",
		"The id of the request in the logs of digate: up to 64 letters, digits, `-`, `_` and `.`. Another value is replaced by a new id.",
		object{{"type", "string"}}, "order-4711"),
	requestHeader("Digate-Unresolved",
		"What happens if placeholders of the template get no value: with `refuse` nothing is sent, and the response is a 422. Without it the server's `--unresolved` decides.",
		object{{"type", "string"}, {"enum", []string{"allow", "refuse", "ALLOW", "REFUSE"}}}, "refuse"),
}

func responseHeader(name, description string, required bool, schema object) member {
	h := object{{"description", description}}
	if required {
		h = h.with("required", true)
	}
	return member{name, h.with("schema", schema)}
}

// responseHeaders are the headers of responses, beside those that every HTTP response
// has.
var responseHeaders = object{
	responseHeader("X-Request-Id", "The id of the request in the logs of digate.", true, object{{"type", "string"}}),
	responseHeader("Preference-Applied", "The part of `Prefer` that digate follows, where there is one.", false, object{{"type", "string"}}),
	responseHeader("Digate-Outcome", "What the caller may conclude.", true, ref("schemas", "Outcome")),
	responseHeader("Digate-Replayed", "`true` if an earlier request with this `Idempotency-Key` created what the response has. Absent otherwise.", false,
		object{{"type", "string"}, {"const", "true"}}),
	responseHeader("Retry-After", "The seconds after which the request may be sent again.", false, object{{"type", "integer"}, {"minimum", 0}}),
	responseHeader("WWW-Authenticate", "The kind of credential that is asked for.", true, object{{"type", "string"}, {"const", "Bearer"}}),
	responseHeader("Allow", "The methods that the path has, in a 405 of digate's.", false, object{{"type", "string"}}),
	responseHeader("ETag", "Changes with the document.", true, object{{"type", "string"}}),
}

// headersOf returns references to headers of responses.
func headersOf(names ...string) object {
	var headers object
	for _, name := range names {
		headers = headers.with(name, ref("headers", name))
	}
	return headers
}

func references(kind string, names []string) []object {
	var all []object
	for _, name := range names {
		all = append(all, ref(kind, name))
	}
	return all
}
