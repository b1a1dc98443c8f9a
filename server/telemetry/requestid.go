package telemetry

import (
	"context"
	"math/rand/v2"

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
	return newRequestID()
}

const (
	// idAlphabet is that of base32 (RFC 4648).
	idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	idLength   = 26 // of 5 bits each
	// drawnLetters is how many letters are made of one random number.
	drawnLetters = 12
)

// newRequestID returns an id that no other call has. It is no secret, so a generator of the
// runtime's is enough, and takes a third of the time of the system's.
func newRequestID() string {
	var id [idLength]byte
	var drawn uint64
	for i := range id {
		if i%drawnLetters == 0 {
			drawn = rand.Uint64()
		}
		id[i] = idAlphabet[drawn%uint64(len(idAlphabet))]
		drawn /= uint64(len(idAlphabet))
	}
	return string(id[:])
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
