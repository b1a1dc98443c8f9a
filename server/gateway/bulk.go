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

// bulk serves BulkCopyTemplate over REST. Request and response are newline-delimited
// JSON, and the response has a line for each line of the request.
//
// The whole body is read before the first copy is sent, because most HTTP clients read no
// response until they have sent their request. The size of the body is therefore limited.
type bulk struct {
	channel  Channel
	request  *digajson.Codec
	response *digajson.Codec
	maxItems int
	maxBody  int64
	// stall is how long the client may read nothing while the response is written.
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

// serve writes the response to a bulk request. It returns an error if the whole request
// failed, after writing that error to the response. A copy that fails does not make the
// request fail.
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
	case !reserveDecoded(text, memory, len(text)):
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

// run makes the copies. It writes the line of each copy when its result is there, and the
// summary at the end. If the stream fails, run writes the error as a line instead of the
// summary, and returns it.
func (b *bulk) run(ctx context.Context, w http.ResponseWriter, items []item) error {
	w.Header().Set("Content-Type", contentTypeLines)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	out := newLines(w, b.stall)
	stream := newBulkStream(ctx, items, b.response, out)
	err := b.channel.Serve(ctx, BulkMethod, stream)
	err = completeError(ctx, err, stream.received.Load())
	if err == nil {
		return nil
	}
	out.write(failure(0, "", err))
	if apierror.FromError(err).Outcome != exchange.NotSent {
		return err
	}
	// The items without a result were not sent.
	for _, it := range items {
		if id := it.copy.GetRequestId(); it.err == nil && stream.pending[id] == it.line {
			out.write(failure(it.line, id, err))
		}
	}
	return err
}
