package contract_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/contract/contracttest"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/secret"
	"github.com/digate/digate/server/upstream"
)

// arrival is a channel that keeps what the gateway made of a request, and the
// observer that learned of the request before.
type arrival struct {
	observed string
	method   string
	message  proto.Message
}

func (a *arrival) Start(ctx context.Context, op exchange.Operation) (context.Context, func(*exchange.Exchange, error)) {
	a.observed = op.Method
	return ctx, func(*exchange.Exchange, error) {}
}

func (a *arrival) Call(_ context.Context, method string, decode func(any) error) (any, metadata.MD, error) {
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	md, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		return nil, nil, err
	}
	mt, err := protoregistry.GlobalTypes.FindMessageByName(md.(protoreflect.MethodDescriptor).Input().FullName())
	if err != nil {
		return nil, nil, err
	}
	m := mt.New().Interface()
	if err := decode(m); err != nil {
		return nil, nil, err
	}
	a.method, a.message = method, m
	return nil, nil, status.Error(codes.Unimplemented, "that was all")
}

func (a *arrival) Serve(context.Context, string, grpc.ServerStream) error {
	return status.Error(codes.Unimplemented, "no streams")
}

func encoder(t *testing.T, c *contract.Contract, url string) *upstream.Client {
	t.Helper()
	client, err := upstream.New(upstream.Config{
		Settings:       upstream.Settings{URL: url, Timeout: time.Minute, IdleTimeout: time.Minute, MaxAttempts: 1, MaxInFlight: 1000, MaxQueue: 1000, MaxQueueBytes: 64 << 20},
		ResponseLimits: upstream.ResponseLimits{MaxResponse: 1 << 20, MaxResponseHeader: 1 << 16},
		MaxRequest:     1 << 20, UserAgent: "test",
		Credential: func(context.Context) (upstream.Credential, error) {
			return upstream.Credential{Token: secret.New("token"), Account: "token"}, nil
		},
	}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// Every method of the contract: what upstream encodes is what the gateway reads of it,
// and what the code that grpc-gateway generates reads.
func TestContract_RequestThatUpstreamEncodes_IsReadBackByTheGateway(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(contract.Integration())
	if err != nil {
		t.Fatal(err)
	}
	got := new(arrival)
	h, err := gateway.New(gateway.Config{
		Contract: c, Channel: got, MaxBody: 1 << 20, Observer: got,
	})
	if err != nil {
		t.Fatal(err)
	}
	plain := new(handled)
	srv := httptest.NewServer(both(generatedHandlers(t, plain), h))
	t.Cleanup(srv.Close)
	client := encoder(t, c, srv.URL)
	random := rand.New(rand.NewPCG(1, 2))
	for _, m := range c.Methods() {
		if m.FacadeOnly {
			continue
		}
		in, out := messageType(t, m.Descriptor.Input()), messageType(t, m.Descriptor.Output())
		for range 100 {
			sent := in.New()
			fill(random, sent, 0)
			withoutSlash(sent, m.Binding)
			*got, *plain = arrival{}, handled{}
			err := client.Call(exchangeContext(t), upstream.Call{Method: m.FullName, Request: sent.Interface(), Response: out.New().Interface()})
			if got.method != m.FullName || got.observed != m.FullName {
				t.Fatalf("%s %v reached %q, observed as %q: %v", m.FullName, sent, got.method, got.observed, err)
			}
			want, read := facade(sent.Interface()), decoded(facade(got.message))
			if !proto.Equal(want, read) {
				t.Fatalf("%s\n got %v\nwant %v", m.FullName, read, want)
			}
			if plain.method != m.FullName {
				t.Fatalf("%s %v reached %q in grpc-gateway's own code", m.FullName, sent, plain.method)
			}
			if len(m.Binding.Query) == 0 && !proto.Equal(want, facade(plain.message)) {
				t.Fatalf("%s: grpc-gateway's own code\n got %v\nwant %v", m.FullName, plain.message, want)
			}
		}
	}
}

// Every shape of a rule that is accepted, read as grpc-gateway's generated code
// reads it: the path by its own pattern, then the body or the query. What is
// facade_only is set and does not arrive.
func TestLoad_RuleThatIsAccepted_IsFollowedAlikeInBothDirections(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for _, tt := range []struct{ in, rule string }{
		{"Plain", `get: "/a"`},
		{"Plain", `get: "/a/{id}"`},
		{"Plain", `get: "/a/{id=*}/b"`},
		{"Plain", `get: "/{id}/{parent}"`},
		{"Plain", `get: "/a/{id}:cancel"`},
		{"Plain", `get: "/a/{id=*}:cancel"`},
		{"Plain", `get: "/{id}/a:list"`},
		{"Plain", `get: "/a~b-c_d.e$f&g+h=i@j"`},
		{"Plain", `delete: "/a/{id}"`},
		{"Plain", `post: "/a/{id}"`},
		{"Plain", `post: "/a/{id}" body: "*"`},
		{"Plain", `post: "/a/{id}:cancel" body: "*"`},
		{"Plain", `custom { kind: "PURGE" path: "/a/{id}" } body: "*"`},
		{"Plain", `custom { kind: "HEAD" path: "/a/{id}" }`},
		{"Full", `put: "/a" body: "*"`},
		{"Full", `patch: "/a/{id}" body: "*"`},
		{"Lists", `put: "/{id}" body: "*"`},
	} {
		sd := contracttest.Service(t, contracttest.Method(tt.in, "Empty", tt.rule))
		c, err := contract.Load(sd)
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		m := c.Method("/t.S/Do")
		if got, want := m.Binding.Template(), strings.ReplaceAll(template(tt.rule), "=*}", "}"); got != want {
			t.Errorf("%s: the template is %q, want %q", tt.rule, got, want)
		}
		var read *dynamicpb.Message
		var failed error
		matched := false
		srv := httptest.NewServer(generated(t, m, template(tt.rule), func(msg *dynamicpb.Message, path string, err error) {
			read, failed, matched = msg, err, m.Binding.Match(path)
		}))
		client := encoder(t, c, srv.URL)
		for range 50 {
			sent := dynamicpb.NewMessage(m.Descriptor.Input())
			fill(random, sent, 0)
			withoutSlash(sent, m.Binding)
			read, failed, matched = nil, nil, false
			err := client.Call(exchangeContext(t), upstream.Call{Method: m.FullName, Request: sent, Response: dynamicpb.NewMessage(m.Descriptor.Output())})
			if read == nil || failed != nil || !matched || !proto.Equal(facade(sent), read) {
				t.Errorf("%s\n got %v (%v), matched %v\nwant %v\ncall: %v", tt.rule, read, failed, matched, sent, err)
				break
			}
		}
		srv.Close()
	}
}

// generated does what grpc-gateway generates for a rule.
func generated(t *testing.T, m *contract.Method, path string, took func(*dynamicpb.Message, string, error)) http.Handler {
	t.Helper()
	mux := runtime.NewServeMux(runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptReserved))
	if err := mux.HandlePath(m.Binding.Verb, path, func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		msg := dynamicpb.NewMessage(m.Descriptor.Input())
		var err error
		if m.Binding.Body != nil {
			var data []byte
			if data, err = io.ReadAll(r.Body); err == nil {
				err = m.Binding.Body.UnmarshalRequest(data, msg)
			}
		}
		for name, value := range params {
			msg.Set(msg.Descriptor().Fields().ByName(protoreflect.Name(name)), protoreflect.ValueOfString(value))
		}
		query, _ := url.ParseQuery(r.URL.RawQuery)
		for _, fd := range m.Binding.Query {
			if !query.Has(string(fd.Name())) {
				continue
			}
			v, e := digajson.ParseText(fd, query.Get(string(fd.Name())))
			if err = e; err != nil {
				break
			}
			msg.Set(fd, v)
			query.Del(string(fd.Name()))
		}
		if err == nil && len(query) > 0 {
			err = fmt.Errorf("left of the query: %v", query)
		}
		took(msg, r.URL.Path, err)
		w.WriteHeader(http.StatusNotFound)
	}); err != nil {
		t.Errorf("grpc-gateway refuses %q: %v", path, err)
	}
	return mux
}

// template returns the path of a rule's text.
func template(rule string) string {
	_, path, _ := strings.Cut(rule, `"/`)
	path, _, _ = strings.Cut(path, `"`)
	return "/" + path
}

// facade returns a message without the fields that never leave digate.
func facade(m proto.Message) proto.Message {
	m = proto.Clone(m)
	r := m.ProtoReflect()
	for i := range r.Descriptor().Fields().Len() {
		if fd := r.Descriptor().Fields().Get(i); digajson.FacadeOnly(fd) && digajson.JSONOf(fd) == nil {
			r.Clear(fd)
		}
	}
	return m
}

// decoded returns a message with a Struct in place of its JSON, if that holds it.
func decoded(m proto.Message) proto.Message {
	r := m.ProtoReflect()
	for i := range r.Descriptor().Fields().Len() {
		fd := r.Descriptor().Fields().Get(i)
		of := digajson.JSONOf(fd)
		if of == nil || of.Message().Name() != "Struct" || !r.Has(fd) {
			continue
		}
		if v, _ := digajson.Canonical(r.Get(fd).String()); v != nil {
			r.Clear(fd)
			r.Set(of, protoreflect.ValueOfMessage(v.GetStructValue().ProtoReflect()))
		}
	}
	return m
}

func exchangeContext(t *testing.T) context.Context {
	ctx, _ := exchange.NewContext(t.Context())
	return ctx
}

func messageType(t *testing.T, md protoreflect.MessageDescriptor) protoreflect.MessageType {
	t.Helper()
	mt, err := protoregistry.GlobalTypes.FindMessageByName(md.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return mt
}

// texts are what a URL or JSON would rather not hold.
var texts = []string{
	"a", "7", "3c90c3cc-0d44-4b50-8888-8dd25736052a", "a b", "a+b", "a/b", "a%2Fb", "a%b", "é", "日本", "a&b=c", "a?b", "a#b", "a;b",
	"a:cancel", ":cancel", "...", "{id}", "*", "\"", "\\", "<a>", "null", "true", "\u2028", "😀",
}

// fill sets fields at random: each that a URL needs, others half of the time.
func fill(random *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		plain := fd.Kind() == protoreflect.StringKind && !fd.HasPresence() && !fd.IsList() && !fd.IsMap()
		if !plain && random.IntN(2) == 0 {
			continue
		}
		if depth > 2 && fd.Message() != nil && !fd.IsMap() {
			continue
		}
		switch {
		case digajson.JSONOf(fd) != nil:
			of, json := digajson.JSONOf(fd), `{"n":1234567890123456789,"d":1.0}`
			if of.Message().Name() == "Value" {
				json = "1234567890123456789"
			}
			m.Clear(of)
			m.Set(fd, protoreflect.ValueOfString(json))
		case digajson.FacadeOnly(fd) && fd.Message() != nil:
			// An update mask would leave out what it does not name.
		case fd.Message() != nil && fd.Message().ParentFile().Package() == "google.protobuf":
			switch s := text(random); fd.Message().Name() {
			case "Struct":
				m.Set(fd, protoreflect.ValueOfMessage((&structpb.Struct{Fields: map[string]*structpb.Value{
					s: structpb.NewStringValue(s), "n": structpb.NewNumberValue(random.Float64()), "z": structpb.NewNullValue(),
				}}).ProtoReflect()))
			case "Value":
				m.Set(fd, protoreflect.ValueOfMessage(structpb.NewStringValue(s).ProtoReflect()))
			}
		case fd.IsMap():
			m.Mutable(fd).Map().Set(protoreflect.ValueOfString(text(random)).MapKey(), scalar(random, fd.MapValue()))
		case fd.IsList():
			list := m.Mutable(fd).List()
			for range 1 + random.IntN(2) {
				if fd.Message() == nil {
					list.Append(scalar(random, fd))
				} else {
					item := list.NewElement()
					fill(random, item.Message(), depth+1)
					list.Append(item)
				}
			}
		case fd.Message() != nil:
			fill(random, m.Mutable(fd).Message(), depth+1)
		default:
			m.Set(fd, scalar(random, fd))
		}
	}
}

// withoutSlash takes the slashes out of the values that are in the path: such a value
// is refused.
func withoutSlash(m protoreflect.Message, b *contract.Binding) {
	for _, name := range b.InPath() {
		fd := m.Descriptor().Fields().ByName(protoreflect.Name(name))
		m.Set(fd, protoreflect.ValueOfString(strings.ReplaceAll(m.Get(fd).String(), "/", "")))
	}
}

func text(random *rand.Rand) string { return texts[random.IntN(len(texts))] }

func scalar(random *rand.Rand, fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(random.IntN(2) == 0)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(random.Int32() - 1<<30)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(random.Int64() - 1<<62)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(random.Uint64())
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(random.NormFloat64())
	case protoreflect.EnumKind:
		values := fd.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(1 + random.IntN(values.Len()-1)).Number())
	default:
		return protoreflect.ValueOfString(text(random))
	}
}
