package client

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// plainWords returns what to tell a person of a call's error that the gRPC library found
// by itself, in words that need no knowledge of the library. It reports false for an
// error that the server sent.
func plainWords(err error) (string, bool) {
	st, ok := status.FromError(err)
	if !ok || st.Code() == codes.OK {
		return "", false
	}
	for _, d := range st.Details() {
		if _, sent := d.(*errdetails.ErrorInfo); sent {
			return "", false
		}
	}
	text := st.Message()
	for _, w := range libraryWords {
		if m := w.library.FindStringSubmatch(text); m != nil {
			return strings.ReplaceAll(w.person, "$1", m[len(m)-1]), true
		}
	}
	switch {
	case st.Code() == codes.DeadlineExceeded:
		return "no response came within --timeout", true
	case st.Code() == codes.Canceled:
		return "interrupted before a response came", true
	default:
		return "", false
	}
}

var libraryWords = []struct {
	library *regexp.Regexp
	person  string
}{
	{regexp.MustCompile(`^unexpected HTTP status code received from server: (\d+)`),
		"HTTP $1 came back, and no gRPC: there is no digate at --addr, or a proxy before it. " + whichPort},
	{regexp.MustCompile(`received unexpected content-type`),
		"HTTP came back, and no gRPC: there is no digate at --addr, or a proxy before it. " + whichPort},
	{regexp.MustCompile(`^error reading from server: (.*)`), "the connection to digate was lost ($1)"},
	{regexp.MustCompile(`^(?:transport is closing|the connection is draining|connection error: desc = "(.*)")`), "the connection to digate was lost"},
	{regexp.MustCompile(`received message larger than max \((\d+) vs\. \d+\)`),
		fmt.Sprintf("the response has $1 bytes, and this command takes %d", maxResponse)},
}

// whichPort says what --addr is.
const whichPort = "--addr is digate's gRPC address, port 9090 by default; REST and the admin listener have others"

// noRoute matches the status that the gRPC library makes of a response of digate's
// REST side, which knows no route of that name.
var noRoute = regexp.MustCompile(`(?s)^unexpected HTTP status code received from server: 404 .*ROUTE_NOT_FOUND`)

// sentToREST reports whether a call went to digate's REST side, which did nothing.
func sentToREST(err error) bool {
	st, ok := status.FromError(err)
	return ok && st.Code() == codes.Unimplemented && noRoute.MatchString(st.Message())
}

// unreachableWords say why no connection could be made, and what to do.
var unreachableWords = []struct {
	library *regexp.Regexp
	person  string // what happened, the library's own words if empty
	advice  string
}{
	{regexp.MustCompile(`looked like an HTTP/1\.1 header`), "what is there speaks HTTP, and no gRPC", whichPort},
	{regexp.MustCompile(`first record does not look like a TLS handshake`), "what is there speaks no TLS (it sent no TLS handshake)", "leave --tls and --ca-file away, or name the port with TLS"},
	{regexp.MustCompile("^" + onlyTLS + "$"), "", "add --tls, or --ca-file with its authority if that is not one of the system's"},
	{regexp.MustCompile(`authentication handshake failed: (?:EOF|.*reset by peer)`), "what is there ended the connection instead of a TLS handshake", "if it speaks no TLS, leave --tls and --ca-file away; " + whichPort},
	{regexp.MustCompile(`remote error: tls: (?:certificate required|handshake failure)`), "it asks for a certificate of the one who calls, or takes no such TLS", "name the certificate with --cert-file and --key-file"},
	{regexp.MustCompile(`remote error: tls: .*certificate`), "it does not accept the certificate in --cert-file", "its authority must be one of the server's --tls-client-ca-file, and its time must not be over"},
	{regexp.MustCompile(`error reading server preface: (?:EOF|read: connection reset|.*reset by peer)|server preface.*(?:\x15\x03|frame too large)`),
		"what is there ended the connection", "if it takes TLS alone, add --tls; " + whichPort},
	{regexp.MustCompile(`x509: certificate signed by unknown authority`), "its certificate is signed by an unknown authority", "name the authority with --ca-file"},
	{regexp.MustCompile(`x509: certificate has expired or is not yet valid: (.*)`), "its certificate ended, or is not valid yet: $1", "the server needs a new certificate, unless the clock of this machine is wrong"},
	{regexp.MustCompile(`x509: (certificate is valid for .*|certificate is not valid for any names.*|cannot validate certificate for .*)`), "its certificate has another name: $1", "name the server in --addr as its certificate does"},
	{regexp.MustCompile(`produced zero addresses|no such host`), "the name has no address", "check how the host is spelt"},
	{regexp.MustCompile(`connection refused`), "", "is digate running there? `digate serve` or `digate dev` starts it"},
}

// unreachable returns the error of a connection that could not be made.
func unreachable(at, why string) *UnreachableError {
	e := &UnreachableError{}
	for _, w := range unreachableWords {
		if m := w.library.FindStringSubmatchIndex(why); m != nil {
			if w.person != "" {
				why = string(w.library.ExpandString(nil, w.person, why, m))
			}
			e.advice = w.advice
			break
		}
	}
	e.text = fmt.Sprintf("no digate at %s: %s", at, strings.TrimPrefix(why, "dial tcp "+at+": "))
	return e
}

// checkAddr returns an error for an address that can only be a mistake.
func (f *Flags) checkAddr() error {
	scheme, rest, isURL := strings.Cut(f.Addr, "://")
	isURL = isURL && (scheme == "http" || scheme == "https")
	e := new(UnreachableError)
	switch {
	case isURL:
		host, _, _ := strings.Cut(rest, "/")
		e.text = fmt.Sprintf("--addr %s: is a URL, and must be HOST:PORT, such as %s", f.Addr, host)
		if scheme == "https" {
			e.advice = "--tls says that the connection has TLS"
		}
	case !f.secured() && !strings.ContainsAny(f.Addr, ":/"):
		e.text = fmt.Sprintf("--addr %s: has no port; must be HOST:PORT, such as %s:9090", f.Addr, f.Addr)
	default:
		return nil
	}
	return e
}

// asUnreachable returns the error of a call that reached no digate, or nil.
func asUnreachable(err error) *UnreachableError {
	if e, ok := errors.AsType[*UnreachableError](err); ok {
		return e
	}
	if sentToREST(err) {
		return &UnreachableError{text: "digate's REST side is at --addr, which takes no gRPC", advice: whichPort}
	}
	return nil
}
