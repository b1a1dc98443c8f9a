// Package prefer reads the Prefer header of RFC 7240, in which a caller says how long
// digate may wait before a request to Diga or make further requests.
package prefer

import (
	"context"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"
)

// Header is the name of the header and, in lower case, of the gRPC metadata.
const Header = "Prefer"

const metadataKey = "prefer"

// MaxSeconds is the longest time in seconds. Longer times count as this one, because a
// caller's number need not fit into a [time.Duration].
const MaxSeconds = 1 << 20

// Wait returns the time of the preference wait (RFC 7240, 4.3) in the values of a header,
// and reports whether there is one. If there are several, the first counts. A malformed
// one and all other preferences are ignored.
func Wait(values []string) (time.Duration, bool) {
	for _, list := range values {
		for preference := range strings.SplitSeq(list, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, value, _ := strings.Cut(preference, "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 64)
			if err != nil {
				return 0, false
			}
			return time.Duration(min(seconds, MaxSeconds)) * time.Second, true
		}
	}
	return 0, false
}

type key struct{}

// NewContext returns a context with the time that the caller is ready to wait.
func NewContext(ctx context.Context, wait time.Duration) context.Context {
	return context.WithValue(ctx, key{}, wait)
}

// WithMetadata is [NewContext] with the time in the metadata of a gRPC call, if there is
// one. It is called once, when the metadata arrives, because each later search in the
// metadata takes longer the more metadata a call has.
func WithMetadata(ctx context.Context, md metadata.MD) context.Context {
	if wait, ok := Wait(md[metadataKey]); ok {
		return NewContext(ctx, wait)
	}
	return ctx
}

// FromContext returns how long the caller is ready to wait, and reports whether it said
// so.
func FromContext(ctx context.Context) (time.Duration, bool) {
	wait, ok := ctx.Value(key{}).(time.Duration)
	return wait, ok
}
