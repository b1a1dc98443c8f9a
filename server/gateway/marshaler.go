package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/nearjson"
	"github.com/digate/digate/server/validate"
)

const contentType = "application/json"

// codecs holds the codec of each message that is a request's body, by its name.
type codecs map[protoreflect.FullName]*digajson.Codec

// codecsOf returns the codec of every message that is a request's body.
func codecsOf(rs *routes) codecs {
	cs := make(codecs)
	for _, r := range rs.all {
		if r.Binding.Body != nil {
			cs[r.Descriptor.Input().FullName()] = r.Binding.Body
		}
	}
	return cs
}

func (cs codecs) of(m proto.Message) (*digajson.Codec, error) {
	md := m.ProtoReflect().Descriptor()
	if c := cs[md.FullName()]; c != nil {
		return c, nil
	}
	return digajson.Compile(md)
}

// marshaler gives grpc-gateway our JSON dialect.
type marshaler struct{ codecs codecs }

var _ runtime.Marshaler = (*marshaler)(nil)

// Marshal implements [runtime.Marshaler].
func (m *marshaler) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case *state:
		return nil, nil // forward has written the response
	case proto.Message:
		c, err := m.codecs.of(v)
		if err != nil {
			return nil, err
		}
		return c.AppendResponse(nil, v)
	default:
		return nil, fmt.Errorf("gateway: no JSON for %T", v)
	}
}

// Unmarshal implements [runtime.Marshaler].
func (m *marshaler) Unmarshal(data []byte, v any) error {
	msg, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("gateway: no message in %T", v)
	}
	c, err := m.codecs.of(msg)
	if err != nil {
		return err
	}
	return c.UnmarshalRequest(data, msg)
}

// NewDecoder implements [runtime.Marshaler].
func (m *marshaler) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		b, ok := r.(*body)
		if !ok {
			return fmt.Errorf("gateway: a body of type %T", r)
		}
		if err := m.decode(b, v); err != nil {
			// grpc-gateway keeps only an error's text, and takes an EOF for no
			// error at all.
			b.state.refused = err
			return errors.New("the request was refused")
		}
		return nil
	})
}

// decode reads exactly one JSON object into a request message.
func (m *marshaler) decode(b *body, v any) error {
	data, err := b.readAll()
	data = nearjson.TrimBOM(data)
	switch tooLarge, ok := errors.AsType[*http.MaxBytesError](err); {
	case ok:
		return apierror.RequestTooLarge(tooLarge.Limit)
	case errors.Is(err, errNoMemory):
		return apierror.Overloaded(time.Second)
	case err != nil:
		return apierror.BodyIncomplete()
	case len(data) == 0:
		return apierror.InvalidRequest(apierror.Violation{
			Field: "body", Description: "a JSON object is required", Reason: "MISSING",
		})
	}
	if !mayDecode(data, b.memory, digajson.MaxValues) {
		return apierror.Overloaded(time.Second)
	}
	if err := m.Unmarshal(data, v); err != nil {
		return refusal(err)
	}
	if err := setRequestID(b.state.idempotencyKey, v); err != nil {
		return err
	}
	return setUnresolved(b.state.unresolved, v)
}

// refusal returns the error of a request whose body or query the codec does not
// take.
func refusal(err error) error { return validate.Refusal(err, faultIn) }

// faultIn returns where a request is wrong: a field, or the byte of a body that is no
// JSON.
func faultIn(e *digajson.Error) string {
	if e.Kind == digajson.KindJSON {
		return fmt.Sprintf("body[%d]", e.Offset)
	}
	return cmp.Or(e.Field(), "body")
}

// NewEncoder implements [runtime.Marshaler].
func (m *marshaler) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		data, err := m.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
}

// ContentType implements [runtime.Marshaler].
func (m *marshaler) ContentType(any) string { return contentType }
