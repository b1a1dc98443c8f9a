// Package protovalidate_test holds digate's own check of the contract's rules
// equal to protovalidate's. It is a module of its own, so that protovalidate's
// runtime is no dependency of digate's.
package protovalidate_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/validate"
)

func rules(t testing.TB) *validate.Validator {
	t.Helper()
	r, err := validate.Compile(contract.Integration(), contract.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ours and theirs return the fields that each refuses, sorted.
func ours(r *validate.Validator, m proto.Message) []string {
	var e *apierror.Error
	var fields []string
	if errors.As(r.Validate(m), &e) {
		for _, v := range e.Violations {
			fields = append(fields, v.Field)
		}
	}
	return normal(fields)
}

func theirs(t testing.TB, m proto.Message) []string {
	err := protovalidate.Validate(m)
	if err == nil {
		return nil
	}
	var e *protovalidate.ValidationError
	if !errors.As(err, &e) {
		t.Fatalf("protovalidate cannot judge: %v", err)
	}
	var fields []string
	for _, v := range e.Violations {
		fields = append(fields, protovalidate.FieldPathString(v.Proto.GetField()))
	}
	return normal(fields)
}

func normal(fields []string) []string {
	slices.Sort(fields)
	return slices.Compact(fields)
}

func same(t *testing.T, r *validate.Validator, m proto.Message) {
	t.Helper()
	if got, want := ours(r, m), theirs(t, m); !slices.Equal(got, want) {
		t.Errorf("%v: we refuse %q, protovalidate refuses %q", m, got, want)
	}
}

const uuid = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

func TestRules_EdgeValues_AreJudgedAsProtovalidateDoes(t *testing.T) {
	r := rules(t)
	ids := []string{
		uuid, strings.ToUpper(uuid), "", " ", uuid + " ", " " + uuid, uuid[:35], uuid + "0", uuid + "\n",
		"3c90c3cc0d444b5088888dd25736052a", "{" + uuid + "}", "urn:uuid:" + uuid, strings.Replace(uuid, "-", "_", 1),
		strings.Replace(uuid, "3", "g", 1), "00000000-0000-0000-0000-000000000000", "..", "%2e%2e", "a\r\nb", "é" + uuid[2:],
	}
	requests := []string{
		"", "a", " ", "~", "a b", "\x1f", "\x7f", "é", "a\nb", "a\n", "\na", strings.Repeat("x", 255), strings.Repeat("x", 256),
		"\u0000", "日本",
	}
	refused := 0
	for _, id := range ids {
		for _, request := range requests {
			m := &integrationv1.CopyTemplateRequest{TemplateId: id, RequestId: request}
			same(t, r, m)
			if len(ours(r, m)) > 0 {
				refused++
			}
		}
	}
	if refused == 0 || refused == len(ids)*len(requests) {
		t.Errorf("%d of %d refused; the cases do not tell", refused, len(ids)*len(requests))
	}
}

func TestRules_MutatedValues_AreJudgedAsProtovalidateDoes(t *testing.T) {
	r := rules(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		m := &integrationv1.CopyTemplateRequest{TemplateId: mutate(random, uuid), RequestId: mutate(random, "order-7")}
		same(t, r, m)
	}
}

// Every rule of every other request: what is required, bounded, or one of a few.
func TestRules_EveryRequest_IsJudgedAsProtovalidateDoes(t *testing.T) {
	r := rules(t)
	refused, taken := 0, 0
	judge := func(m proto.Message) {
		t.Helper()
		same(t, r, m)
		if len(ours(r, m)) > 0 {
			refused++
		} else {
			taken++
		}
	}
	for _, id := range []string{"", uuid, "x"} {
		judge(&integrationv1.GetTemplateRequest{TemplateId: id})
		judge(&integrationv1.GetIntegrationRequest{IntegrationId: id})
		judge(&integrationv1.DeleteIntegrationRequest{IntegrationId: id})
		judge(&integrationv1.UpdateIntegrationRequest{IntegrationId: id, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"x"}}})
		for _, other := range []string{"", uuid, "y"} {
			judge(&integrationv1.GetToolRequest{IntegrationId: id, ToolId: other})
			judge(&integrationv1.DeleteToolRequest{IntegrationId: id, ToolId: other})
			for _, n := range []int32{-1, 0, 1, 5, 6} {
				judge(&integrationv1.UpdateToolRequest{
					IntegrationId: id, ToolId: other, Method: integrationv1.HttpMethod(n),
					ExecutionAudio: integrationv1.ExecutionAudio(n), PreSpeech: integrationv1.PreSpeech(n),
				})
			}
			for _, approval := range []*bool{nil, proto.Bool(false), proto.Bool(true)} {
				judge(&integrationv1.SetToolApprovalsRequest{IntegrationId: id, Tools: []*integrationv1.ToolApproval{
					{ToolId: other, ApprovalRequired: approval}, {ToolId: uuid, ApprovalRequired: proto.Bool(true)},
				}})
			}
		}
		judge(&integrationv1.SetToolApprovalsRequest{IntegrationId: id})
	}
	for _, n := range []*int32{nil, proto.Int32(-1), proto.Int32(0), proto.Int32(1), proto.Int32(100), proto.Int32(101), proto.Int32(math.MaxInt32)} {
		for _, order := range []integrationv1.Order{0, 1, 2, 3, -1} {
			for _, cursor := range []*string{nil, proto.String(""), proto.String(uuid), proto.String("x")} {
				judge(&integrationv1.ListTemplatesRequest{Page: n, Limit: n, Order: order, After: cursor, Before: cursor})
				judge(&integrationv1.ListIntegrationsRequest{Page: n, Limit: n, Order: order, After: cursor, Before: cursor, IntegrationType: integrationv1.IntegrationType(order)})
				judge(&integrationv1.ListToolsRequest{IntegrationId: uuid, Page: n, Limit: n, Order: order, After: cursor, Before: cursor})
			}
		}
	}
	for _, text := range []*string{nil, proto.String(""), proto.String("x")} {
		for _, n := range []int32{-1, 0, 1, 5, 6} {
			judge(&integrationv1.CreateIntegrationRequest{Name: text, BaseUrl: text, IntegrationType: integrationv1.IntegrationType(n)})
			judge(&integrationv1.CreateToolRequest{
				IntegrationId: uuid, Name: text, Description: text, EndpointPath: text, Method: integrationv1.HttpMethod(n),
				Body: []*integrationv1.BodyParam{{Properties: []*integrationv1.BodyParam{{}}}},
			})
		}
	}
	for _, request := range []string{"", "a", " ~", "\x7f", "é", strings.Repeat("x", 255), strings.Repeat("x", 256)} {
		judge(&digatev1.GetCopyRequest{RequestId: request})
		judge(&digatev1.ResolveCopyRequest{RequestId: request})
		for _, id := range []string{"", uuid, "x", uuid + "0"} {
			judge(&digatev1.ResolveCopyRequest{RequestId: request, Resolution: &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: id}})
		}
		for _, none := range []bool{true, false} {
			judge(&digatev1.ResolveCopyRequest{RequestId: request, Resolution: &digatev1.ResolveCopyRequest_NotCreated{NotCreated: none}})
		}
	}
	if refused == 0 || taken == 0 {
		t.Errorf("%d refused, %d taken; the cases do not tell", refused, taken)
	}
	// Whatever else there is: empty, and with an id in every string.
	all, err := contract.Load(contract.Integration(), contract.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range all.Methods() {
		mt, err := protoregistry.GlobalTypes.FindMessageByName(method.Descriptor.Input().FullName())
		if err != nil {
			t.Fatal(err)
		}
		judge(mt.New().Interface())
		m := mt.New()
		for j := range m.Descriptor().Fields().Len() {
			if fd := m.Descriptor().Fields().Get(j); fd.Kind() == protoreflect.StringKind && !fd.IsList() && digajson.JSONOf(fd) == nil {
				m.Set(fd, protoreflect.ValueOfString(uuid))
			}
		}
		judge(m.Interface())
	}
}

// mutate changes up to two characters, mostly to ones that are nearly right.
func mutate(random *rand.Rand, s string) string {
	const near = "0aAfFgG-_~ \t\x7f{}é"
	runes := []rune(s)
	for range random.IntN(3) {
		c := []rune(near)[random.IntN(len([]rune(near)))]
		i := random.IntN(len(runes))
		switch random.IntN(3) {
		case 0:
			runes[i] = c
		case 1:
			runes = slices.Insert(runes, i, c)
		default:
			if len(runes) > 1 {
				runes = slices.Delete(runes, i, i+1)
			}
		}
	}
	return string(runes)
}
