package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"connectrpc.com/connect"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

const (
	headerConnectVersion = "Connect-Protocol-Version"
	headerConnectTimeout = "Connect-Timeout-Ms"
	headerGRPCTimeout    = "Grpc-Timeout"
)

// encodings are the permitted encodings of messages.
var encodings = []string{"", "identity", encodingGzip}

// verify returns the timeout in a request, or 0 if there is none. It returns an error if
// the request is not a valid call of the method. connect-go would refuse the same
// requests, but without an outcome.
func verify(m *method, p protocol, r *http.Request) (time.Duration, *apierror.Error) {
	switch {
	case m == nil && p.name != "":
		return 0, apierror.UnknownMethod()
	case m == nil:
		return 0, apierror.RouteNotFound()
	case r.Method != http.MethodPost:
		return 0, apierror.MethodNotAllowed()
	case p.name == "", p.name == exchange.Connect && p.streamed == (m.kind == connect.StreamTypeUnary):
		return 0, apierror.UnsupportedMediaType()
	case m.kind == connect.StreamTypeBidi && r.ProtoMajor < 2:
		return 0, apierror.HTTP2Required()
	case !slices.Contains(encodings, r.Header.Get(p.encodingHeader())):
		return 0, apierror.UnknownEncoding()
	}
	if version := r.Header.Get(headerConnectVersion); p.name == exchange.Connect && version != "" && version != "1" {
		return 0, malformed(headerConnectVersion, "must be 1")
	}
	if p.name == exchange.GRPCWeb {
		return timeoutOf(r, headerGRPCTimeout, parseGRPCTimeout, "must be at most 8 digits and a unit: H, M, S, m, u or n")
	}
	return timeoutOf(r, headerConnectTimeout, parseConnectTimeout, "must be at most 10 digits: milliseconds")
}

func malformed(header, description string) *apierror.Error {
	return apierror.InvalidRequest(apierror.Violation{Field: header, Description: description, Reason: "VALUE_ERROR"})
}

// timeoutOf returns the timeout in a header, or 0 if there is none.
func timeoutOf(r *http.Request, header string, parse func(string) (time.Duration, bool), form string) (time.Duration, *apierror.Error) {
	text := r.Header.Get(header)
	if text == "" {
		return 0, nil
	}
	timeout, ok := parse(text)
	if !ok {
		return 0, malformed(header, form)
	}
	return max(timeout, 1), nil // a timeout of 0 has already passed
}

// parseConnectTimeout parses a number of milliseconds with at most 10 digits.
func parseConnectTimeout(text string) (time.Duration, bool) {
	ms, ok := digits(text, 10)
	return time.Duration(ms) * time.Millisecond, ok
}

// units are the units of gRPC timeouts.
var units = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// parseGRPCTimeout parses a number with at most 8 digits and its unit. A timeout that is
// too long for a [time.Duration] becomes the longest one.
func parseGRPCTimeout(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	last := len(text) - 1
	unit, known := units[text[last]]
	n, ok := digits(text[:last], 8)
	if !ok || !known {
		return 0, false
	}
	const longest = time.Duration(1<<63 - 1)
	if time.Duration(n) > longest/unit {
		return longest, true
	}
	return time.Duration(n) * unit, true
}

// digits parses a number that consists only of digits.
func digits(text string, most int) (int64, bool) {
	if len(text) > most {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 63) // accepts no sign
	return int64(n), err == nil
}

// withTimeout returns the context of a call with its timeout, unless that is 0.
func withTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, timeout)
}
