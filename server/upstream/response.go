package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/nearjson"
	"github.com/digate/digate/server/upstream/wire"
)

var errStale = errors.New("the connection held a response before the request")

var (
	// notWhole is the drift of a response that broke off or is no JSON object.
	notWhole = exchange.Drift{Path: []string{"(response)"}, Kind: "not whole"}
	// notJSON is the drift of a response that was mended to be JSON.
	notJSON = exchange.Drift{Path: []string{"(response)"}, Kind: "not JSON"}
)

// decode fills the response from a 2xx and reports whether the call is done. A 2xx
// that yields an id is never turned into a failure, however odd or short the
// rest is: the integration exists. A response that has no id by contract must be
// whole. A text that is only nearly JSON, or in which others would read another id,
// is read, and passed on to nobody.
func (r *rule) decode(ex *exchange.Exchange, body []byte, readErr error, resp proto.Message) (done bool) {
	if r.Response == nil {
		// A page of HTML is somebody else's response: that of a sign-in page, say.
		text := bytes.TrimSpace(nearjson.TrimBOM(body))
		ex.Relay = readErr == nil && (len(text) == 0 || json.Valid(body) && utf8.Valid(body))
		if !ex.Relay && readErr == nil {
			mended, _ := nearjson.Mend(body)
			return json.Valid(mended)
		}
		return true
	}
	target := resp.ProtoReflect()
	if r.ResponseField != nil {
		target = target.Mutable(r.ResponseField).Message()
	}
	drift, err := r.Response.UnmarshalResponse(body, target.Interface())
	asSent := err == nil && utf8.Valid(body) && !slices.ContainsFunc(drift, isSecondID)
	if err != nil {
		if mended, changed := nearjson.Mend(body); changed {
			body = mended
			proto.Reset(target.Interface())
			drift, err = r.Response.UnmarshalResponse(body, target.Interface())
			drift = append(drift, notJSON)
		}
	}
	ex.Drift = drift
	whole := readErr == nil && err == nil
	if !whole {
		ex.Drift = append(ex.Drift, notWhole)
	}
	done = whole
	if r.HasID {
		done = yieldsID(target, whole)
		if !done {
			var twice bool
			done, twice = bareID(target, body, r.write)
			asSent = asSent && !twice
		}
	}
	ex.Relay = done && whole && asSent
	return done
}

// noResponse returns the verdict on an attempt that got no response.
func noResponse(ctx context.Context, r *rule, err error, track *wire.Tracker) *apierror.Error {
	sent := track.Sent(ctx, err)
	// The caller's end explains the failure, whatever net/http calls it.
	if cause := ctx.Err(); cause != nil {
		err = fmt.Errorf("%w: %w", cause, err)
		if !sent {
			return apierror.NotBegun(err)
		}
		return apierror.ResponseLost(err, r.write)
	}
	if !sent {
		return apierror.Unreachable(err)
	}
	return apierror.ResponseLost(err, r.write)
}

// cutShort names the caller's end as the reason why a response was not whole.
func cutShort(ctx context.Context, err error) error {
	if cause := ctx.Err(); err != nil && cause != nil {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}
