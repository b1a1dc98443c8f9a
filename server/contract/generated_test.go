package contract_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// handled is a connection that keeps the call that grpc-gateway's generated code makes
// of a request.
type handled struct {
	method  string
	message proto.Message
}

var errHandled = errors.New("that was all")

func (h *handled) Invoke(_ context.Context, method string, args, _ any, _ ...grpc.CallOption) error {
	h.method, h.message = method, args.(proto.Message)
	return errHandled
}

func (h *handled) NewStream(_ context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	h.method, h.message = method, nil
	return nil, errHandled
}

// generatedHandlers returns the handlers that grpc-gateway generates for the contract,
// with our JSON and without a query, whose dialect is Diga's too.
func generatedHandlers(t *testing.T, conn *handled) http.Handler {
	t.Helper()
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, dialect{new(runtime.JSONPb)}),
		runtime.SetQueryParameterParser(withoutQuery{}),
	)
	if err := integrationv1.RegisterIntegrationServiceHandlerClient(t.Context(), mux, integrationv1.NewIntegrationServiceClient(conn)); err != nil {
		t.Fatal(err)
	}
	return mux
}

type withoutQuery struct{}

func (withoutQuery) Parse(proto.Message, url.Values, *utilities.DoubleArray) error { return nil }

// dialect reads request messages in Diga's JSON.
type dialect struct{ runtime.Marshaler }

func (dialect) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		m := v.(proto.Message)
		codec, err := digajson.Compile(m.ProtoReflect().Descriptor())
		if err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return codec.UnmarshalRequest(data, m)
	})
}

// both hands each request to two handlers, and the response of the second to the
// caller.
func both(first, second http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		again := r.Clone(r.Context())
		again.URL.RawPath = "" // as our gateway, it decides by the decoded path
		again.Body = io.NopCloser(bytes.NewReader(body))
		first.ServeHTTP(httptest.NewRecorder(), again)
		r.Body = io.NopCloser(bytes.NewReader(body))
		second.ServeHTTP(w, r)
	})
}
