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
	// driftIncomplete is the drift of a response that is incomplete or not a JSON object.
	driftIncomplete = exchange.Drift{Path: []string{"(response)"}, Kind: "not whole"}
	// driftNotJSON is the drift of a response that had to be corrected to be valid JSON.
	driftNotJSON = exchange.Drift{Path: []string{"(response)"}, Kind: "not JSON"}
)

// decode decodes a 2xx into the response message and reports whether the call succeeded.
// A 2xx with an id is always a success, however malformed the rest is, because the
// resource exists. A response without an id by contract must be complete. A body that is
// only nearly JSON, or in which other parsers would read another id, is decoded but not
// relayed to REST clients.
func (r *rule) decode(ex *exchange.Exchange, body []byte, readErr error, resp proto.Message) (done bool) {
	if r.Response == nil {
		// An HTML page is not Diga's response. It may be a sign-in page, for example.
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
			drift = append(drift, driftNotJSON)
		}
	}
	ex.Drift = drift
	whole := readErr == nil && err == nil
	if !whole {
		ex.Drift = append(ex.Drift, driftIncomplete)
	}
	done = whole
	if r.HasID {
		done = yieldsID(target, whole)
		if !done {
			var twice bool
			done, twice = findID(target, body, r.write)
			asSent = asSent && !twice
		}
	}
	ex.Relay = done && whole && asSent
	return done
}

// noResponse returns the error of an attempt without a response.
func noResponse(ctx context.Context, r *rule, err error, track *wire.Tracker) *apierror.Error {
	sent := track.Sent(ctx, err)
	// If the caller's context ended, that is the cause, whatever error net/http returns.
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

// cutShort adds the end of the caller's context to the error of an incomplete response.
func cutShort(ctx context.Context, err error) error {
	if cause := ctx.Err(); err != nil && cause != nil {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}
