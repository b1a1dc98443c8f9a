package telemetry

import (
	"context"
	"crypto/rand"

	"google.golang.org/grpc/metadata"
)

// RequestIDHeader carries the request id: in HTTP headers, and in lower case in
// gRPC metadata, of requests and of answers.
const RequestIDHeader = "X-Request-Id"

const requestIDKey = "x-request-id"

// maxRequestID bounds a caller's request id, in bytes.
const maxRequestID = 64

// requestID returns the caller's id where it is one plain value, or a new one:
// it goes into logs, so it has no room for anything else.
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
