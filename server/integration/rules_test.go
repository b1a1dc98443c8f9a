package integration_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/integration"
	"github.com/digate/digate/server/upstream"
)

// recorder is an upstream that records the method called last.
type recorder struct {
	method string
	err    error
}

func (u *recorder) Call(_ context.Context, call upstream.Call) error {
	u.method = call.Method
	if u.err == nil {
		call.Response.(*integrationv1.CopyTemplateResponse).Integration = &integrationv1.Integration{Id: "1"}
	}
	return u.err
}

// noCopies is for tests that make no copy with a request id.
type noCopies struct{}

func (noCopies) CopyTemplate(context.Context, *integrationv1.CopyTemplateRequest) (*integrationv1.Integration, bool, error) {
	panic("a copy with a request id")
}

func newService(u integration.Upstream, change ...func(*integration.Config)) (*integration.Service, error) {
	cfg := integration.Config{
		Upstream: u, Copies: noCopies{}, Ended: func(context.Context, string, *exchange.Exchange, error) {},
	}
	for _, f := range change {
		f(&cfg)
	}
	return integration.New(cfg)
}

const uuid = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

func TestCopyTemplate_ValidRequest_GoesUpstream(t *testing.T) {
	u := new(recorder)
	s, err := newService(u)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: uuid})
	if err != nil || resp.GetIntegration().GetId() != "1" || u.method != integrationv1.IntegrationService_CopyTemplate_FullMethodName {
		t.Errorf("got %v, %v, method %q", resp, err, u.method)
	}
	u.err = errors.New("lost")
	if resp, err := s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: uuid}); !errors.Is(err, u.err) || resp != nil {
		t.Errorf("got %v, %v", resp, err)
	}
}

func TestCopyTemplate_InvalidRequest_NamesEveryFieldAndGoesNowhere(t *testing.T) {
	u := new(recorder)
	s, err := newService(u)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: "x", RequestId: "\n"})
	var e *apierror.Error
	if !errors.As(err, &e) || e.Code != codes.InvalidArgument || len(e.Violations) != 2 ||
		e.Violations[0].Field != "template_id" || e.Violations[1].Field != "request_id" {
		t.Errorf("got %v", err)
	}
	if u.method != "" {
		t.Error("it was sent")
	}
}

// A rule that the contract states and nobody checks would be a lie, so it keeps
// the server from starting.
func TestCompileRules_RuleThatNothingEnforces_IsAnErrorThatNamesIt(t *testing.T) {
	for want, rules := range map[string]*validate.FieldRules{
		"string.email": {Type: &validate.FieldRules_String_{String_: &validate.StringRules{WellKnown: &validate.StringRules_Email{Email: true}}}},
		"string.len":   {Type: &validate.FieldRules_String_{String_: &validate.StringRules{Len: proto.Uint64(3)}}},
		"cel":          {Cel: []*validate.Rule{{Id: proto.String("x")}}},
		"ignore":       {Ignore: validate.Ignore_IGNORE_ALWAYS.Enum()},
	} {
		opts := new(descriptorpb.FieldOptions)
		proto.SetExtension(opts, validate.E_Field, rules)
		_, err := integration.CompileRules(service(t, opts))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "t.In.f") {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := integration.CompileRules(service(t, nil)); err != nil {
		t.Errorf("without rules: %v", err)
	}
}

// service has one method, whose request has one string field.
func service(t *testing.T, opts *descriptorpb.FieldOptions) protoreflect.ServiceDescriptor {
	t.Helper()
	fd, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("t.proto"), Package: proto.String("t"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("In"), Field: []*descriptorpb.FieldDescriptorProto{{
			Name: proto.String("f"), Number: proto.Int32(1), Options: opts,
			Type:  descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}}}},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("S"), Method: []*descriptorpb.MethodDescriptorProto{{
			Name: proto.String("Do"), InputType: proto.String(".t.In"), OutputType: proto.String(".t.In"),
		}}}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return fd.Services().Get(0)
}
