package conformance

import (
	"path"
	"regexp"
)

// exception is a case, or cases of a kind, that digate fails and a bare grpc-go server
// passes.
type exception struct {
	// cases are the names, as [path.Match] takes them.
	cases []string
	// says is how the suite has to describe each failure, so that no other one hides
	// behind it.
	says *regexp.Regexp
	// why is the reason, as the page has it.
	why string
	// atTimes means that the cases fail in some runs and not in others.
	atTimes bool
	// met are the cases that the run had a failure of.
	met map[string]bool
}

// grpcExceptions are those of the gRPC listener.
var grpcExceptions = []*exception{
	{
		cases: []string{
			"Basic/unimplemented",
			"Server Message Size/unary/*",
			"Server Message Size/*-stream/*-exceeds-server-limit",
			"Server Message Size/*-stream/*/*-exceeds-server-limit",
			"gRPC Unexpected Requests/client-stream/incomplete-message",
			"gRPC Unexpected Requests/client-stream/incomplete-message-prefix",
			"gRPC Unexpected Requests/unexpected-uri",
		},
		says: regexp.MustCompile(`^actual error contain [12] details; expecting 0$`),
		why:  "The code is as it should be. The suite wants no details, and every failure of digate has an `ErrorInfo` with its outcome, and a `BadRequest` where the request is wrong.",
	},
	{
		cases: []string{"Errors/*/unimplemented"},
		says:  regexp.MustCompile(`(?s)^actual error \{code: 12 \(unimplemented\), message: "there is no such method"\} does not match expected message`),
		why:   "The suite's handler returns `UNIMPLEMENTED` itself. Digate's own handlers never do: generated code does, for a method that is not there, and digate puts its verdict in place of that.",
	},
	{
		cases: []string{"gRPC Unexpected Requests/unexpected-compressed-message"},
		says:  regexp.MustCompile(`(?s)^actual error \{code: 3 \(invalid_argument\), message: "the message is said to be compressed, .*does not match expected code 13`),
		why:   "`INVALID_ARGUMENT` in place of `INTERNAL`: the message is wrong, and digate is not. Meshes count `INTERNAL` against the server.",
	},
	{
		cases: []string{"gRPC Unexpected Requests/unexpected-compression"},
		// The suite compares the two messages only where its client wrote the whole
		// request. Digate refuses the header, and that may be before the body is written.
		says: regexp.MustCompile(`^(trailers include 'grpc-status-details-bin' value that disagrees with 'grpc-message' value: .*\n\t; )?actual error contain 1 details; expecting 0$`),
		why:  "The refusal is grpc-go's, and digate adds the verdict to it. The details have digate's message; `grpc-message` stays grpc-go's, because a field cannot be replaced in a compressed header. The code is the same.",
	},
}

// unresolved is what the suite says of the text that Connect's errors have for people who
// read JSON, before it says what fails: it does not know the types of the details.
const unresolved = `^(connect error JSON: details\[\d\]: could not check debug data because message type ` +
	`"google\.rpc\.(ErrorInfo|BadRequest)" could not be resolved: proto:[ \x{a0}]not found\n\t; )?`

// detailed is what the suite says beside a code that it did not expect: there are details,
// too.
const detailed = `\n\tactual error contain [12] details; expecting 0$`

// otherDetail is what the suite says of a detail that it did not expect, line by line.
const otherDetail = `actual error detail #1 does not match expected error detail: - wanted, \+ got(\n\t[-+ \x{a0}].*)+$`

// webExceptions are those of the REST listener, over Connect and gRPC-Web.
var webExceptions = []*exception{
	{
		cases: []string{
			"Basic/unimplemented",
			"Server Message Size/unary/*",
			"Server Message Size/*-stream/*-exceeds-server-limit",
			"Server Message Size/*-stream/*/*-exceeds-server-limit",
			"* Unexpected Requests/client-stream/incomplete-message",
			"* Unexpected Requests/client-stream/incomplete-message-prefix",
			"* Unexpected Requests/unexpected-compression",
		},
		says: regexp.MustCompile(unresolved + `actual error contain [12] details; expecting 0$`),
		why:  "The code is as it should be. The suite wants no details, and every failure of digate has its outcome there.",
	},
	{
		cases: []string{"Errors/*/unimplemented", "Connect to HTTP Code Mapping/unary/unimplemented"},
		says:  regexp.MustCompile(unresolved + `(actual error \{code: 12 \(unimplemented\), message: "there is no such method"\} does not match expected message "unimplemented"\n\t)?` + otherDetail),
		why:   "As over gRPC: digate's verdict is in place of an `UNIMPLEMENTED` that a handler returns.",
	},
	{
		cases: []string{
			"* Unexpected Requests/server-stream/multiple-requests", "* Unexpected Requests/server-stream/no-request",
			"gRPC-Web Unexpected Requests/unary/multiple-requests", "gRPC-Web Unexpected Requests/unary/no-request",
		},
		says: regexp.MustCompile(unresolved + `actual error \{code: 3 \(invalid_argument\), message: "the message is (missing|not the only one of its call)"\} does not match expected code 12 \(unimplemented\)` + detailed),
		why:  "`INVALID_ARGUMENT` in place of `UNIMPLEMENTED`, as over gRPC: the request is wrong, and the method is there.",
	},
	{
		cases: []string{"* Unexpected Requests/unexpected-compressed-message"},
		says:  regexp.MustCompile(unresolved + `actual error \{code: 3 \(invalid_argument\), message: "the message is not in an envelope of its protocol, or breaks off"\} does not match expected code 13 \(internal\)` + detailed),
		why:   "`INVALID_ARGUMENT` in place of `INTERNAL`, as over gRPC.",
	},
	{
		cases: []string{
			"* Unexpected Requests/unexpected-codec", "* Unexpected Requests/unexpected-uri", "* Unexpected Requests/unexpected-verb",
			"Unexpected Requests/unexpected-content-type",
		},
		says: regexp.MustCompile(`^connect error JSON: (missing required key "code"|unexpected end of JSON input)$`),
		why:  "The HTTP status is as it should be. A request that is no call has no protocol, so the body is one of REST's, and has the outcome.",
	},
	{
		cases:   []string{"Timeouts/unary"},
		says:    regexp.MustCompile(`^connect error JSON: unexpected end of JSON input$`),
		atTimes: true,
		why:     "The code is as it should be. On a busy machine, the suite's client leaves an HTTP/2 stream at its own deadline between the header and the body of the response.",
	},
}

// find returns the exception of a case, nil for none, and remembers that it was met.
func find(list []*exception, name string) *exception {
	for _, e := range list {
		for _, cases := range e.cases {
			if ok, err := path.Match(cases, name); err == nil && ok {
				if e.met == nil {
					e.met = make(map[string]bool)
				}
				e.met[cases] = true
				return e
			}
		}
	}
	return nil
}

// unmet returns the cases of a list that the run had no failure of, but for those that
// fail at times.
func unmet(list []*exception) (names []string) {
	for _, e := range list {
		for _, cases := range e.cases {
			if !e.met[cases] && !e.atTimes {
				names = append(names, cases)
			}
		}
	}
	return names
}
