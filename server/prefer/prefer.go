// Package prefer reads how long a caller is ready to wait for what digate does beside
// its one exchange with Diga, from the Prefer header of RFC 7240.
package prefer

import (
	"context"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"
)

// Header is the header, and in lower case the gRPC metadata, of preferences.
const Header = "Prefer"

const metadataKey = "prefer"

// MaxSeconds is the longest time that is told from a longer one, in seconds: a number of
// seconds that a caller gives need not fit into a [time.Duration].
const MaxSeconds = 1 << 20

// Wait returns the time of the preference wait (RFC 7240, 4.3) in the values of a
// header, and reports whether there is one. Of several the first counts. One that
// cannot be read is ignored, as is every other preference.
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

// NewContext returns a context of a call whose caller is ready to wait for that long.
func NewContext(ctx context.Context, wait time.Duration) context.Context {
	return context.WithValue(ctx, key{}, wait)
}

// WithMetadata returns the context of a gRPC call, by [NewContext] if its metadata says how
// long its caller is ready to wait. It is asked once, when the metadata arrives: looking
// there from the context takes longer the more metadata a call has.
func WithMetadata(ctx context.Context, md metadata.MD) context.Context {
	if wait, ok := Wait(md[metadataKey]); ok {
		return NewContext(ctx, wait)
	}
	return ctx
}

// FromContext returns how long the caller of a call is ready to wait, and reports
// whether it said so.
func FromContext(ctx context.Context) (time.Duration, bool) {
	wait, ok := ctx.Value(key{}).(time.Duration)
	return wait, ok
}
