package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/validate"
)

// BulkPath is where many copies are asked for at once, a line each.
const BulkPath = "/v1/integration/template:bulkCopy"

const contentTypeLines = "application/x-ndjson"

// bulk is the REST form of BulkCopyTemplate: newline-delimited JSON both ways.
// grpc-gateway's own loop ends at a line that it cannot read, and wraps each
// answer; this one answers each line by a line.
//
// The body is read whole before anything is begun, since most HTTP clients read
// nothing until they have sent everything. So it is bounded.
type bulk struct {
	client   integrationv1.IntegrationServiceClient
	request  *digajson.Codec
	answer   *digajson.Codec
	maxItems int
	maxBody  int64
	// stall is for how long the client may take nothing of the answer.
	stall  time.Duration
	failed func(ctx context.Context, method string, err error)
}

func newBulk(cfg Config, client integrationv1.IntegrationServiceClient) (*bulk, error) {
	request, err := digajson.Compile((*integrationv1.CopyTemplateRequest)(nil).ProtoReflect().Descriptor())
	if err != nil {
		return nil, err
	}
	answer, err := digajson.Compile((*integrationv1.Integration)(nil).ProtoReflect().Descriptor())
	if err != nil {
		return nil, err
	}
	return &bulk{
		client: client, request: request, answer: answer,
		maxItems: cfg.BulkMaxItems, maxBody: cfg.MaxBody, stall: cfg.Stall, failed: cfg.Failed,
	}, nil
}

// line is one answer. Its members are in the order in which they are read best.
type line struct {
	Line        int             `json:"line,omitempty"`
	RequestID   string          `json:"request_id,omitempty"`
	Replayed    bool            `json:"replayed,omitempty"`
	Integration json.RawMessage `json:"integration,omitempty"`
	// Outcome, HTTPStatus and Error are those of a single request's answer.
	Outcome    string          `json:"outcome,omitempty"`
	HTTPStatus int             `json:"http_status,omitempty"`
	Error      json.RawMessage `json:"error,omitempty"`
	Summary    *summary        `json:"summary,omitempty"`
}

type summary struct {
	Total    int64 `json:"total"`
	Done     int64 `json:"done"`
	Replayed int64 `json:"replayed"`
	NotSent  int64 `json:"not_sent"`
	Rejected int64 `json:"rejected"`
	Unknown  int64 `json:"unknown"`
}

// item is one line of a request: a copy, or why it is none.
type item struct {
	line int
	copy *integrationv1.CopyTemplateRequest
	err  error
}

func (b *bulk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		b.refuse(w, r, apierror.MethodNotAllowed())
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, b.maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		b.refuse(w, r, b.tooMuch(fmt.Sprintf("%d bytes", b.maxBody)))
		return
	case err != nil:
		b.refuse(w, r, apierror.InvalidRequest(apierror.Violation{Field: "body", Description: "could not be read", Reason: "VALUE_ERROR"}))
		return
	}
	items, ok := b.read(body)
	if !ok {
		b.refuse(w, r, b.tooMuch(fmt.Sprintf("%d lines", b.maxItems)))
		return
	}
	b.run(r.Context(), w, items)
}

func (b *bulk) refuse(w http.ResponseWriter, r *http.Request, e *apierror.Error) {
	b.failed(r.Context(), integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName, e)
	e.REST(nil).Write(w)
}

func (b *bulk) tooMuch(limit string) *apierror.Error {
	e := apierror.RequestTooLarge(b.maxBody)
	e.Message = "the request has more than " + limit + "; split it, or use " +
		strings.TrimPrefix(integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName, "/") + " over gRPC, which has no such bound"
	return e
}

// read splits a body into its items, and says false where there are too many.
// Empty lines count for the number of a line and are nothing else.
func (b *bulk) read(body []byte) (items []item, ok bool) {
	seen := make(map[string]int)
	n := 0
	for text := range bytes.Lines(body) {
		n++
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			continue
		}
		if len(items) == b.maxItems {
			return nil, false
		}
		it := item{line: n}
		it.copy, it.err = b.readItem(text)
		if it.err == nil {
			if before, twice := seen[it.copy.RequestId]; twice {
				it.err = wrong("request_id", fmt.Sprintf("stands in line %d too", before), "DUPLICATE")
			}
			seen[it.copy.RequestId] = n
		}
		items = append(items, it)
	}
	return items, true
}

func wrong(field, description, reason string) error {
	return apierror.InvalidRequest(apierror.Violation{Field: field, Description: description, Reason: reason})
}

func (b *bulk) readItem(text []byte) (*integrationv1.CopyTemplateRequest, error) {
	req := new(integrationv1.CopyTemplateRequest)
	if err := b.request.UnmarshalRequest(text, req); err != nil {
		return nil, validate.Refusal(err, (*digajson.Error).Field)
	}
	var err error
	req.RequestId, err = readRequestID(text)
	return req, err
}

// readRequestID returns the request id of a line, an object that was found to be
// well-formed. The contract's JSON has none: elsewhere it is a header.
func readRequestID(text []byte) (string, error) {
	field := string(requestIDField)
	dec := json.NewDecoder(bytes.NewReader(text))
	_, err := dec.Token() // the brace
	id, found := "", false
	for err == nil && dec.More() {
		var key json.Token
		var value json.RawMessage
		if key, err = dec.Token(); err == nil {
			err = dec.Decode(&value)
		}
		switch {
		case err != nil || key != field:
		case found:
			return "", wrong(field, "stands there twice", "DUPLICATE_KEY")
		default:
			found = true
			if json.Unmarshal(value, &id) != nil {
				return "", wrong(field, "must be a string", "STRING_TYPE")
			}
		}
	}
	if err != nil {
		return "", wrong("body", "is not an object", "VALUE_ERROR")
	}
	if id == "" {
		return "", wrong(field, "is required in each line: 1 to 255 printable ASCII characters, another one in each", "MISSING")
	}
	return id, nil
}

// run asks for the copies and answers with a line for each, as they end, and a
// summary.
func (b *bulk) run(ctx context.Context, w http.ResponseWriter, items []item) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := b.client.BulkCopyTemplate(ctx)
	if err != nil {
		e := apierror.FromError(err)
		e.REST(nil).Write(w)
		return
	}
	w.Header().Set("Content-Type", contentTypeLines)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	out := &lines{w: w, control: http.NewResponseController(w), stall: b.stall}
	var total summary
	for _, it := range items {
		if it.err != nil {
			total.Total, total.NotSent = total.Total+1, total.NotSent+1
			out.write(failure(it.line, it.copy.GetRequestId(), it.err))
		}
	}
	lineOf := make(map[string]int, len(items))
	for _, it := range items {
		if it.err == nil {
			lineOf[it.copy.RequestId] = it.line
		}
	}
	go func() {
		for _, it := range items {
			if it.err == nil && stream.Send(&integrationv1.BulkCopyTemplateRequest{Copy: it.copy}) != nil {
				return // receiving says why
			}
		}
		_ = stream.CloseSend()
	}()
	for {
		resp, err := stream.Recv()
		if err == nil && out.err != nil {
			err = out.err // the client is gone: what was not begun is not
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return
			}
			out.write(failure(0, "", err))
			if apierror.FromError(err).Outcome == exchange.NotSent {
				// So nothing was begun of what has no answer.
				for _, it := range items {
					if n := lineOf[it.copy.GetRequestId()]; n == it.line {
						out.write(failure(n, it.copy.GetRequestId(), err))
					}
				}
			}
			// The stream fails once its context ends; nothing of it may be left.
			cancel()
			for {
				if _, err := stream.Recv(); err != nil {
					return
				}
			}
		}
		if s := resp.GetSummary(); s != nil {
			out.write(line{Summary: &summary{
				total.Total + s.GetTotal(), s.GetDone(), s.GetReplayed(), total.NotSent + s.GetNotSent(), s.GetRejected(), s.GetUnknown(),
			}})
			continue
		}
		out.write(b.result(lineOf[resp.GetRequestId()], resp))
		delete(lineOf, resp.GetRequestId())
	}
}

func (b *bulk) result(n int, resp *integrationv1.BulkCopyTemplateResponse) line {
	if resp.GetError() != nil {
		return failure(n, resp.GetRequestId(), status.ErrorProto(resp.GetError()))
	}
	l := line{Line: n, RequestID: resp.GetRequestId(), Replayed: resp.GetReplayed(), Outcome: "DONE"}
	var err error
	if l.Integration, err = b.answer.AppendResponse(nil, resp.GetIntegration()); err != nil {
		return failure(n, resp.GetRequestId(), err)
	}
	return l
}

// failure is the line of a copy that failed, or of the stream where n is 0.
func failure(n int, requestID string, err error) line {
	e := apierror.FromError(err)
	for i := range e.Violations {
		e.Violations[i].Field = strings.TrimPrefix(e.Violations[i].Field, "copy.")
	}
	a := e.REST(nil)
	return line{Line: n, RequestID: requestID, Outcome: e.Outcome.String(), HTTPStatus: a.Status, Error: a.Body}
}

// lines writes lines, each at once.
type lines struct {
	w       io.Writer
	control *http.ResponseController
	stall   time.Duration
	err     error
}

func (o *lines) write(l line) {
	if o.err != nil {
		return
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if o.err = enc.Encode(l); o.err != nil {
		return
	}
	// The server's own deadline is for answers that are short.
	_ = o.control.SetWriteDeadline(time.Now().Add(o.stall))
	if _, o.err = o.w.Write(b.Bytes()); o.err == nil {
		o.err = o.control.Flush()
	}
}
