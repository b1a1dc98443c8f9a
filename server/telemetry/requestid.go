package telemetry

import (
	"context"
	"crypto/rand"

	"google.golang.org/grpc/metadata"
)

// RequestIDHeader carries the id of a call, which ties its log line to what the
// caller saw: in HTTP headers, and in lower case in gRPC metadata, of requests
// and of responses. It is not the request_id of the contract, which no log shows.
const RequestIDHeader = "X-Request-Id"

const requestIDKey = "x-request-id"

// logRequestID is the log key of that id.
const logRequestID = "x_request_id"

// maxRequestID bounds a caller's request id, in bytes.
const maxRequestID = 64

// requestID returns the caller's id if it is one plain value, else a new one,
// because the id goes into logs.
func requestID(values []string) string {
	if len(values) == 1 && plainID(values[0]) {
		return values[0]
	}
	return rand.Text()
}

func plainID(s string) bool {
	if s == "" || len(s) > maxRequestID {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}

func incomingRequestID(ctx context.Context) string {
	return requestID(metadata.ValueFromIncomingContext(ctx, requestIDKey))
}
