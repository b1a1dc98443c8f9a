package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
)

// BulkPath is the path of bulk requests.
const BulkPath = "/v1/integration/template:bulkCopy"

// BulkMethod is the method of bulk requests.
const BulkMethod = integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName

const contentTypeLines = "application/x-ndjson"

// bulk is the REST form of BulkCopyTemplate: newline-delimited JSON both ways, a
// line of the response for each line of the request.
//
// The body is read whole before anything is begun, since most HTTP clients read
// nothing until they have sent everything. So it is bounded.
type bulk struct {
	channel  Channel
	request  *digajson.Codec
	response *digajson.Codec
	maxItems int
	maxBody  int64
	// stall is how long the client may take nothing of the response.
	stall time.Duration
}

func newBulk(cfg Config) (*bulk, error) {
	request, err := digajson.Compile((*integrationv1.CopyTemplateRequest)(nil).ProtoReflect().Descriptor())
	if err != nil {
		return nil, err
	}
	response, err := digajson.Compile((*integrationv1.Integration)(nil).ProtoReflect().Descriptor())
	if err != nil {
		return nil, err
	}
	return &bulk{
		channel: cfg.Channel, request: request, response: response,
		maxItems: cfg.BulkMaxItems, maxBody: cfg.MaxBody, stall: cfg.Stall,
	}, nil
}

// serve writes the response to a bulk request. The error is that of the whole
// request, and was written too: a copy that fails is no failure of the request.
func (b *bulk) serve(w http.ResponseWriter, r *http.Request, memory *budget.Share) error {
	received := body{ReadCloser: http.MaxBytesReader(w, r.Body, b.maxBody), length: r.ContentLength, limit: b.maxBody, memory: memory}
	text, err := received.readAll()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return refuse(w, b.tooMuch(fmt.Sprintf("%d bytes", b.maxBody)))
	case errors.Is(err, errNoMemory):
		return refuse(w, apierror.Overloaded(time.Second))
	case err != nil:
		return refuse(w, apierror.BodyIncomplete())
	case !mayDecode(text, memory, len(text)):
		return refuse(w, apierror.Overloaded(time.Second))
	}
	items, ok := b.read(text)
	if !ok {
		return refuse(w, b.tooMuch(fmt.Sprintf("%d lines", b.maxItems)))
	}
	return b.run(r.Context(), w, items)
}

func (b *bulk) tooMuch(limit string) *apierror.Error {
	return apierror.RequestTooLarge(b.maxBody).WithMessage("the request has more than " + limit + "; split it, or use " +
		strings.TrimPrefix(BulkMethod, "/") + " over gRPC, which has no such bound")
}

// run has the copies made. It writes the line of each as soon as there is one,
// then a summary; if the stream fails, it writes a line with the error instead, and
// returns the error.
func (b *bulk) run(ctx context.Context, w http.ResponseWriter, items []item) error {
	w.Header().Set("Content-Type", contentTypeLines)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	out := newLines(w, b.stall)
	stream := newBulkStream(ctx, items, b.response, out)
	err := b.channel.Serve(ctx, BulkMethod, stream)
	err = begun(ctx, err, stream.received.Load())
	if err == nil {
		return nil
	}
	out.write(failure(0, "", err))
	if apierror.FromError(err).Outcome != exchange.NotSent {
		return err
	}
	// Nothing was begun of the items that have no result.
	for _, it := range items {
		if id := it.copy.GetRequestId(); it.err == nil && stream.pending[id] == it.line {
			out.write(failure(it.line, id, err))
		}
	}
	return err
}
