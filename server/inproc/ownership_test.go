package inproc_test

import (
	"context"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/gofeaturespb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/digate/digate/server/inproc"
)

const echoMethod = "/inproc.test.Echo/Echo"

// echo registers a unary method that decodes into what newRequest returns and
// responds with what handle makes of it.
func echo(newRequest func() any, handle func(in any) (any, error)) func(grpc.ServiceRegistrar) {
	return func(r grpc.ServiceRegistrar) {
		r.RegisterService(&grpc.ServiceDesc{
			ServiceName: "inproc.test.Echo",
			HandlerType: (*any)(nil),
			Methods: []grpc.MethodDesc{{
				MethodName: "Echo",
				Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
					in := newRequest()
					if err := decode(in); err != nil {
						return nil, err
					}
					return handle(in)
				},
			}},
		}, nil)
	}
}

func same(in any) (any, error) { return in, nil }

func newStruct(t testing.TB, fields map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(fields)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestInvoke_AnyMessage_CrossesWhole(t *testing.T) {
	unknown := say("with a field of tomorrow")
	unknown.ProtoReflect().SetUnknown([]byte{0x98, 0x06, 0x2a}) // field 99, varint 42

	extended := &descriptorpb.FeatureSet{Utf8Validation: descriptorpb.FeatureSet_NONE.Enum()}
	proto.SetExtension(extended, gofeaturespb.E_Go, &gofeaturespb.GoFeatures{LegacyUnmarshalJsonEnum: proto.Bool(true)})

	dynamic := dynamicpb.NewMessage(say("").ProtoReflect().Descriptor())
	dynamic.Set(dynamic.Descriptor().Fields().ByName("value"), say("dynamic").ProtoReflect().Get(dynamic.Descriptor().Fields().ByName("value")))

	cases := map[string]proto.Message{
		"scalars":          say("x"),
		"no fields":        &emptypb.Empty{},
		"map and messages": newStruct(t, map[string]any{"a": 1, "b": []any{"c", nil, true}}),
		"oneof":            structpb.NewStringValue("x"),
		"unset oneof":      &structpb.Value{},
		"list":             &structpb.ListValue{Values: []*structpb.Value{structpb.NewBoolValue(true)}},
		"optional fields":  &descriptorpb.FieldDescriptorProto{Name: proto.String(""), Number: proto.Int32(0)},
		"unknown fields":   unknown,
		"extension":        extended,
		"dynamic":          dynamic,
	}
	stale := map[string]func() proto.Message{
		"map and messages": func() proto.Message { return newStruct(t, map[string]any{"stale": 1}) },
		"unset oneof":      func() proto.Message { return structpb.NewBoolValue(true) },
		"list": func() proto.Message {
			return &structpb.ListValue{Values: []*structpb.Value{nil, structpb.NewNullValue()}}
		},
		"extension": func() proto.Message {
			return &descriptorpb.FeatureSet{MessageEncoding: descriptorpb.FeatureSet_DELIMITED.Enum()}
		},
		"scalars": func() proto.Message { return proto.Clone(unknown) },
	}
	for name, msg := range cases {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, start start) {
				fresh := func() any { return msg.ProtoReflect().New().Interface() }
				cc := start(t, inproc.Options{}, echo(fresh, same))
				out := fresh().(proto.Message)
				if s := stale[name]; s != nil {
					out = s()
				}
				if err := cc.Invoke(t.Context(), echoMethod, msg, out); err != nil {
					t.Fatal(err)
				}
				if !proto.Equal(out, msg) {
					t.Errorf("got %v, want %v", out, msg)
				}
			})
		})
	}
}

func TestInvoke_DynamicAndGenerated_AreOneMessage(t *testing.T) {
	descriptor := say("").ProtoReflect().Descriptor()
	cc := startInproc(t, inproc.Options{}, echo(func() any { return dynamicpb.NewMessage(descriptor) }, same))
	out := new(text)
	if err := cc.Invoke(t.Context(), echoMethod, say("x"), out); err != nil || out.GetValue() != "x" {
		t.Errorf("got %v, %v", out, err)
	}
}

func TestInvoke_WrongType_IsInternal(t *testing.T) {
	newText := func() any { return new(text) }
	cases := map[string]struct {
		service    func(grpc.ServiceRegistrar)
		args, into any
	}{
		"other request":      {echo(newText, same), &structpb.Struct{}, new(text)},
		"other reply":        {echo(newText, same), say("x"), &structpb.Struct{}},
		"request no message": {echo(newText, same), "x", new(text)},
		"reply no message":   {echo(newText, same), say("x"), new(string)},
		"reply nil":          {echo(newText, same), say("x"), nil},
		"reply nil pointer":  {echo(newText, same), say("x"), (*text)(nil)},
		"respond no message": {echo(newText, func(any) (any, error) { return 5, nil }), say("x"), new(text)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			wantCode(t, startInproc(t, inproc.Options{}, c.service).Invoke(t.Context(), echoMethod, c.args, c.into), codes.Internal)
		})
	}
}

func TestInvoke_HandlerChangesItsRequest_CallersStructIsItsOwn(t *testing.T) {
	cc := startInproc(t, inproc.Options{}, echo(func() any { return new(text) }, func(in any) (any, error) {
		in.(*text).Value = "changed"
		return in, nil
	}))
	in, out := say("x"), new(text)
	if err := cc.Invoke(t.Context(), echoMethod, in, out); err != nil || in.Value != "x" || out.Value != "changed" {
		t.Errorf("in = %v, out = %v, %v", in, out, err)
	}
}

func TestInvoke_Content_IsHandedOverNotCopied(t *testing.T) {
	field := &descriptorpb.FieldDescriptorProto{Name: proto.String("x"), Options: &descriptorpb.FieldOptions{}}
	cases := map[string]struct {
		msg     proto.Message
		content func(proto.Message) any
	}{
		"message":  {field, func(m proto.Message) any { return m.(*descriptorpb.FieldDescriptorProto).Options }},
		"optional": {field, func(m proto.Message) any { return m.(*descriptorpb.FieldDescriptorProto).Name }},
		"oneof":    {structpb.NewStringValue("x"), func(m proto.Message) any { return m.(*structpb.Value).Kind }},
		"map entry": {newStruct(t, map[string]any{"k": "x"}), func(m proto.Message) any {
			return m.(*structpb.Struct).Fields["k"]
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			fresh := func() any { return c.msg.ProtoReflect().New().Interface() }
			out := fresh().(proto.Message)
			cc := startInproc(t, inproc.Options{}, echo(fresh, same))
			if err := cc.Invoke(t.Context(), echoMethod, c.msg, out); err != nil {
				t.Fatal(err)
			}
			if c.content(out) != c.content(c.msg) {
				t.Error("the content is a copy")
			}
		})
	}
}

// A service may respond to every call with one message; callers and other servers
// read it at the same time, which the race detector watches.
func TestInvoke_SharedReply_IsOnlyEverRead(t *testing.T) {
	shared := &structpb.ListValue{Values: []*structpb.Value{structpb.NewStructValue(newStruct(t, map[string]any{"a": "b"}))}}
	cc := startInproc(t, inproc.Options{}, echo(func() any { return new(text) }, func(any) (any, error) { return shared, nil }))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				out := new(structpb.ListValue)
				if err := cc.Invoke(t.Context(), echoMethod, new(text), out); err != nil {
					t.Error(err)
				}
				for _, m := range []proto.Message{out, shared} {
					if _, err := proto.Marshal(m); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}
