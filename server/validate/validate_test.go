package validate_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	rules "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/validate"
)

const uuid = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

func TestValidate_Request_NamesEveryRuleThatItBreaks(t *testing.T) {
	t.Parallel()
	v, err := validate.Compile(contract.Integration(), contract.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	const (
		noUUID      = "must be a UUID: 32 hexadecimal digits in groups of 8-4-4-4-12, UUID_PARSING"
		noRequestID = "must be 1 to 255 printable ASCII characters, STRING_PATTERN_MISMATCH"
		noMethod    = "must be one of GET, POST, PUT, DELETE, PATCH, ENUM"
	)
	for _, tt := range []struct {
		req  proto.Message
		want []string
	}{
		{&integrationv1.CopyTemplateRequest{TemplateId: uuid}, nil},
		{&integrationv1.CopyTemplateRequest{TemplateId: uuid, RequestId: strings.Repeat("~", 255)}, nil},
		{&integrationv1.CopyTemplateRequest{TemplateId: "x", RequestId: "\n"}, []string{"template_id: " + noUUID, "request_id: " + noRequestID}},
		{&integrationv1.CopyTemplateRequest{TemplateId: uuid, RequestId: strings.Repeat("~", 256)}, []string{"request_id: " + noRequestID}},
		{&integrationv1.BulkCopyTemplateRequest{}, []string{"copy: is required, MISSING"}},
		{&integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{}}, []string{"copy.template_id: " + noUUID}},
		{&integrationv1.ListToolsRequest{IntegrationId: uuid, Page: new(int32(1)), Limit: new(int32(100))}, nil},
		{&integrationv1.ListToolsRequest{IntegrationId: uuid, Page: new(int32(0)), Limit: new(int32(101))}, []string{
			"page: must be 1 or more, GREATER_THAN_EQUAL", "limit: must be 100 or less, LESS_THAN_EQUAL",
		}},
		{&integrationv1.UpdateToolRequest{IntegrationId: uuid, ToolId: uuid, Method: 99}, []string{"method: " + noMethod}},
		{&integrationv1.SetToolApprovalsRequest{IntegrationId: uuid}, []string{"tools: must have 1 items or more, TOO_SHORT"}},
		{
			&integrationv1.SetToolApprovalsRequest{IntegrationId: uuid, Tools: []*integrationv1.ToolApproval{{ToolId: uuid, ApprovalRequired: new(false)}, {ToolId: "x"}}},
			[]string{"tools[1].tool_id: " + noUUID, "tools[1].approval_required: is required, MISSING"},
		},
		{&integrationv1.CopyTemplateRequest{TemplateId: uuid, VariablesJson: new(`{"a":1e400}`)}, nil},
		{&integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{TemplateId: uuid, VariablesJson: new(`{"a":[1,{"b":2,"b":2}]}`)}}, []string{"copy.variables_json.a[1].b: the key is there twice, DUPLICATE_KEY"}},
		{&integrationv1.UpdateToolRequest{IntegrationId: uuid, ToolId: uuid, Body: []*integrationv1.BodyParam{{FixedValueJson: new("1")}, {Properties: []*integrationv1.BodyParam{{FixedValue: structpb.NewNullValue(), FixedValueJson: new("1")}}}}}, []string{
			"body[1].properties[0].fixed_value_json: only one of fixed_value and fixed_value_json may be set, ONEOF_SET_TWICE",
		}},
		{&digatev1.GetLedgerRequest{}, nil},
		{&digatev1.GetCopyRequest{}, []string{"request_id: " + noRequestID}},
		{&digatev1.ResolveCopyRequest{RequestId: "a", Resolution: &digatev1.ResolveCopyRequest_NotCreated{NotCreated: true}}, nil},
		{&digatev1.ResolveCopyRequest{RequestId: "a", Resolution: &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: uuid}}, nil},
		{&digatev1.ResolveCopyRequest{RequestId: "é"}, []string{
			"resolution: integration_id or not_created or tool_id is required, MISSING", "request_id: " + noRequestID,
		}},
		{&digatev1.ResolveCopyRequest{RequestId: "a", Resolution: &digatev1.ResolveCopyRequest_NotCreated{}}, []string{"not_created: must be true where it is set, VALUE_ERROR"}},
		{&digatev1.ResolveCopyRequest{RequestId: "a", Resolution: &digatev1.ResolveCopyRequest_IntegrationId{}}, []string{"integration_id: " + noUUID}},
		{&rules.FieldRules{}, nil}, // a message that is no request
	} {
		err := v.Validate(tt.req)
		if tt.want == nil {
			if err != nil {
				t.Errorf("%T %v: %v", tt.req, tt.req, err)
			}
			continue
		}
		var e *apierror.Error
		if !errors.As(err, &e) || e.Code != codes.InvalidArgument || e.Outcome != exchange.NotSent {
			t.Errorf("%T %v: %v", tt.req, tt.req, err)
			continue
		}
		var got []string
		for _, violation := range e.Violations {
			got = append(got, violation.Field+": "+violation.Description+", "+violation.Reason)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%T %v:\n got %q\nwant %q", tt.req, tt.req, got, tt.want)
		}
	}
}

// The contract must state no constraint that nothing enforces, so an unknown rule
// keeps the server from starting.
func TestCompile_RuleThatNothingEnforces_IsAnErrorThatNamesIt(t *testing.T) {
	for want, field := range map[string]*rules.FieldRules{
		"string.email": {Type: &rules.FieldRules_String_{String_: &rules.StringRules{WellKnown: &rules.StringRules_Email{Email: true}}}},
		"string.len":   {Type: &rules.FieldRules_String_{String_: &rules.StringRules{Len: proto.Uint64(3)}}},
		"cel":          {Cel: []*rules.Rule{{Id: proto.String("x")}}},
		"ignore":       {Ignore: rules.Ignore_IGNORE_ALWAYS.Enum()},
	} {
		opts := new(descriptorpb.FieldOptions)
		proto.SetExtension(opts, rules.E_Field, field)
		_, err := validate.Compile(service(t, opts))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "t.In.f") {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := validate.Compile(service(t, nil)); err != nil {
		t.Errorf("without rules: %v", err)
	}
}

func TestCompile_RuleOfAMessage_IsAnErrorThatNamesTheMessage(t *testing.T) {
	t.Parallel()
	file := protodesc.ToFileDescriptorProto(service(t, nil).ParentFile())
	file.MessageType[0].Options = new(descriptorpb.MessageOptions)
	proto.SetExtension(file.MessageType[0].Options, rules.E_Message, &rules.MessageRules{Cel: []*rules.Rule{{Id: proto.String("x")}}})
	fd, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := validate.Compile(fd.Services().Get(0)); err == nil || !strings.HasPrefix(err.Error(), "t.In: ") {
		t.Errorf("got %v", err)
	}
}

// violations returns what a request of one field breaks.
func violations(t *testing.T, kind descriptorpb.FieldDescriptorProto_Type, own *rules.FieldRules, value protoreflect.Value) []apierror.Violation {
	t.Helper()
	opts := new(descriptorpb.FieldOptions)
	proto.SetExtension(opts, rules.E_Field, own)
	sd := serviceOf(t, kind, opts)
	v, err := validate.Compile(sd)
	if err != nil {
		t.Fatal(err)
	}
	md := sd.Methods().Get(0).Input()
	m := dynamicpb.NewMessage(md)
	m.Set(md.Fields().Get(0), value)
	e := new(apierror.Error)
	if err := v.Validate(m); err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	return e.Violations
}

// A caller mends one thing at a time: a field that is missing is not also
// malformed, and of several rules the first one is named.
func TestValidate_FieldThatBreaksSeveralRules_IsNamedOnce(t *testing.T) {
	t.Parallel()
	aUUIDOfXs := &rules.FieldRules_String_{String_: &rules.StringRules{
		Pattern: proto.String("^x+$"), WellKnown: &rules.StringRules_Uuid{Uuid: true},
	}}
	for _, tt := range []struct {
		own   *rules.FieldRules
		value string
		want  apierror.Violation
	}{
		{&rules.FieldRules{Required: proto.Bool(true), Type: aUUIDOfXs}, "", apierror.Violation{Field: "f", Description: "is required", Reason: "MISSING"}},
		{&rules.FieldRules{Type: aUUIDOfXs}, "y", apierror.Violation{Field: "f", Description: "must match the pattern ^x+$", Reason: "STRING_PATTERN_MISMATCH"}},
	} {
		got := violations(t, descriptorpb.FieldDescriptorProto_TYPE_STRING, tt.own, protoreflect.ValueOfString(tt.value))
		if len(got) != 1 || !reflect.DeepEqual(got[0], tt.want) {
			t.Errorf("%q: got %+v, want %+v alone", tt.value, got, tt.want)
		}
	}
}

func TestValidate_UUID_IsTheHyphenatedFormInEitherCase(t *testing.T) {
	t.Parallel()
	own := &rules.FieldRules{Type: &rules.FieldRules_String_{String_: &rules.StringRules{WellKnown: &rules.StringRules_Uuid{Uuid: true}}}}
	for text, want := range map[string]bool{
		uuid: true, strings.ToUpper(uuid): true, "00000000-0000-0000-0000-000000000000": true,
		"": false, uuid[1:]: false, uuid + "0": false, "{" + uuid + "}": false, "urn:uuid:" + uuid: false,
		strings.ReplaceAll(uuid, "-", ""): false, strings.Replace(uuid, "-", "0", 1): false,
		"g" + uuid[1:]: false, "G" + uuid[1:]: false, "/" + uuid[1:]: false, ":" + uuid[1:]: false, "`" + uuid[1:]: false, "@" + uuid[1:]: false,
	} {
		got := violations(t, descriptorpb.FieldDescriptorProto_TYPE_STRING, own, protoreflect.ValueOfString(text))
		if (got == nil) != want {
			t.Errorf("%q: got %+v, want it to be taken: %t", text, got, want)
		}
	}
}

func TestValidate_ConstOfAFieldWithoutPresence_IsNamedWithoutACondition(t *testing.T) {
	t.Parallel()
	own := &rules.FieldRules{Type: &rules.FieldRules_Bool{Bool: &rules.BoolRules{Const: proto.Bool(true)}}}
	got := violations(t, descriptorpb.FieldDescriptorProto_TYPE_BOOL, own, protoreflect.ValueOfBool(false))
	if len(got) != 1 || got[0].Description != "must be true" {
		t.Errorf("got %+v", got)
	}
}

// service has one method, whose request has one string field.
func service(t *testing.T, opts *descriptorpb.FieldOptions) protoreflect.ServiceDescriptor {
	t.Helper()
	return serviceOf(t, descriptorpb.FieldDescriptorProto_TYPE_STRING, opts)
}

// serviceOf has one method, whose request has one field.
func serviceOf(t *testing.T, kind descriptorpb.FieldDescriptorProto_Type, opts *descriptorpb.FieldOptions) protoreflect.ServiceDescriptor {
	t.Helper()
	fd, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("t.proto"), Package: proto.String("t"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("In"), Field: []*descriptorpb.FieldDescriptorProto{{
			Name: proto.String("f"), Number: proto.Int32(1), Options: opts,
			Type:  kind.Enum(),
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
