package telemetry

import (
	"context"
	"math/rand/v2"

	"google.golang.org/grpc/metadata"
)

// RequestIDHeader is the header with the id of a call, by which its log line is found. It
// is in requests and responses, as an HTTP header and, in lower case, as gRPC metadata.
// It is not the request_id of the contract, which is never logged.
const RequestIDHeader = "X-Request-Id"

const requestIDKey = "x-request-id"

// logRequestID is the log key of the id.
const logRequestID = "x_request_id"

// maxRequestID is the maximum length of a caller's id, in bytes.
const maxRequestID = 64

// requestID returns the caller's id if there is exactly one and it is safe to log, and
// otherwise a new id.
func requestID(values []string) string {
	if len(values) == 1 && plainID(values[0]) {
		return values[0]
	}
	return newRequestID()
}

const (
	// idAlphabet is the alphabet of base32 (RFC 4648).
	idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	idLength   = 26 // of 5 bits each
	// drawnLetters is how many letters are taken from one random number.
	drawnLetters = 12
)

// newRequestID returns a unique id. The id is no secret, so the runtime's random numbers
// are good enough, and they take a third of the time of the system's.
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
