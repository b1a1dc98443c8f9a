package inproc

import (
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// validate returns an error for metadata that gRPC could not send: keys other than
// [0-9a-z-_.]+ and, unless the key ends in "-bin", values that are not printable ASCII.
// The error names the key but not the value.
func validate(md metadata.MD) error {
	for key, values := range md {
		if reserved(key) {
			continue // it is dropped in any case
		}
		if key == "" || strings.ContainsFunc(key, illegalInKey) {
			return status.Errorf(codes.Internal, "inproc: metadata key %q has characters outside of [0-9a-z-_.]", key)
		}
		if strings.HasSuffix(key, "-bin") {
			continue
		}
		for _, value := range values {
			if !isPrintable(value) {
				return status.Errorf(codes.Internal, "inproc: metadata value of %q is not printable ASCII", key)
			}
		}
	}
	return nil
}

func illegalInKey(r rune) bool {
	lower, digit := 'a' <= r && r <= 'z', '0' <= r && r <= '9'
	return !lower && !digit && r != '-' && r != '_' && r != '.'
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// reserved reports whether a key belongs to the protocol (gRPC over HTTP/2). An
// application's value for it is never sent.
func reserved(key string) bool {
	switch key {
	case "content-type", "te", "user-agent",
		"grpc-encoding", "grpc-message", "grpc-message-type", "grpc-status", "grpc-timeout":
		return true
	}
	return strings.HasPrefix(key, ":")
}

// merge appends a copy of src without its reserved keys to dst, which may be nil, and
// returns dst.
func merge(dst, src metadata.MD) metadata.MD {
	for key, values := range src {
		if reserved(key) {
			continue
		}
		if dst == nil {
			dst = make(metadata.MD, len(src))
		}
		dst[key] = append(dst[key], values...)
	}
	return dst
}
