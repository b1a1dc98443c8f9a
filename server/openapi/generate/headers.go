package main

// everywhere are the headers that apply to every operation.
var everywhere = []string{"Digate-Account", "Digate-Timeout", "Prefer", "X-Request-Id"}

func requestHeader(name, description string, schema object, example any) member {
	return member{name, object{{"name", name}, {"in", "header"}, {"description", description}, {"schema", schema}, {"example", example}}}
}

// requestHeaders are the request headers other than the credential.
var requestHeaders = object{
	requestHeader("Idempotency-Key",
		"Identifies the request among the caller's requests for this operation. The key is 1 to 255 printable ASCII characters, preferably random. The quotes that the draft standard puts around it may be there.\n\nA second request with the key and the same content is not sent to Diga: its response has what the first request created. A second request with other content is refused with a 422. A server with `--require-request-id` refuses requests without a key.",
		object{{"type", "string"}, {"minLength", 1}, {"maxLength", 255}, {"pattern", "^[ -~]+$"}}, "6f1c7a52-0a8e-4b57-9d5f-3c2b1a09e8d7"),
	requestHeader("Digate-Account",
		"The account that the request is for, on a server with accounts. A caller with several accounts names one. Other servers ignore it.",
		object{{"type", "string"}}, "main"),
	requestHeader("Digate-Timeout",
		"The seconds that the request may take, above 0: digits with or without a decimal point. The server's `--max-deadline` bounds them. When they are over, the response is a 504.",
		object{{"type", "string"}, {"pattern", `^(0*[1-9][0-9]*(\.[0-9]*)?|0*\.0*[1-9][0-9]*)$`}}, "2.5"),
	requestHeader("Prefer",
		"With `wait=N` (RFC 7240) digate waits for N seconds at most before it sends the request, or before it sends it again. A request that was sent is not cut short. Other preferences are ignored.",
		object{{"type", "string"}}, "wait=5"),
	requestHeader("X-Request-Id",
		"The id of the request in digate's logs: 1 to 64 letters, digits, `-`, `_` and `.`. Any other value is replaced by a new id.",
		object{{"type", "string"}}, "order-4711"),
	requestHeader("Digate-Unresolved",
		"What happens if placeholders of the template get no value. `refuse`: the copy is refused with a 422. `allow`: the copy is made. Without the header the server's `--unresolved` decides.",
		object{{"type", "string"}, {"enum", []string{"allow", "refuse", "ALLOW", "REFUSE"}}}, "refuse"),
}

func responseHeader(name, description string, required bool, schema object) member {
	h := object{{"description", description}}
	if required {
		h = h.with("required", true)
	}
	return member{name, h.with("schema", schema)}
}

// responseHeaders are the response headers other than those of every HTTP response.
var responseHeaders = object{
	responseHeader("X-Request-Id", "The id of the request in digate's logs.", true, object{{"type", "string"}}),
	responseHeader("Preference-Applied", "The preference of `Prefer` that digate follows. Absent if it follows none.", false, object{{"type", "string"}}),
	responseHeader("Digate-Outcome", "What the caller may conclude.", true, ref("schemas", "Outcome")),
	responseHeader("Digate-Replayed", "`true` if an earlier request with this `Idempotency-Key` created what the response shows. Absent otherwise.", false,
		object{{"type", "string"}, {"const", "true"}}),
	responseHeader("Retry-After", "The number of seconds after which the request may be sent again.", false, object{{"type", "integer"}, {"minimum", 0}}),
	responseHeader("WWW-Authenticate", "The kind of credential that the server takes.", true, object{{"type", "string"}, {"const", "Bearer"}}),
	responseHeader("Allow", "The methods that the path has. Only a 405 of digate's has it.", false, object{{"type", "string"}}),
	responseHeader("ETag", "Identifies this version of the document.", true, object{{"type", "string"}}),
}

// headersOf returns references to response headers.
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
