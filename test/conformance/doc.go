// Package conformance runs suites that others wrote against digate, and beside it
// against the library that digate is built on: the suite of connectrpc for gRPC, and
// h2spec for HTTP/2. What a library fails alone is not digate's; what digate fails
// beyond it is in a short list, with reasons. docs/conformance.md has the results.
//
//	go test ./test/conformance -conformance
package conformance
