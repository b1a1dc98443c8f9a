package server_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// spelled is one request in several spellings: bodies over REST and messages over gRPC.
type spelled struct {
	path     string // REST's
	bodies   []string
	messages []proto.Message
	others   []string // bodies of other requests
}

// unknownField returns the message with a field that its type does not have, as a client
// with a later contract sends.
func unknownField(m proto.Message) proto.Message {
	m.ProtoReflect().SetUnknown(protoreflect.RawFields(protowire.AppendVarint(protowire.AppendTag(nil, 900, protowire.VarintType), 1)))
	return m
}

func spellings(s *createScene) []spelled {
	value := func(v any) *structpb.Value {
		of, err := structpb.NewValue(v)
		if err != nil {
			panic(err)
		}
		return of
	}
	variables := &structpb.Struct{Fields: map[string]*structpb.Value{"a": value(1), "b": value([]any{0, -2.5, nil}), "c": value("é😀</"), "d": value(map[string]any{})}}
	negative := proto.CloneOf(variables)
	negative.GetFields()["b"].GetListValue().GetValues()[0] = value(math.Copysign(0, -1))
	copyOf := func(change func(*integrationv1.CopyTemplateRequest)) *integrationv1.CopyTemplateRequest {
		req := &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: new("é"), Variables: variables}
		change(req)
		return req
	}
	integrationOf := func(change func(*integrationv1.CreateIntegrationRequest)) *integrationv1.CreateIntegrationRequest {
		req := &integrationv1.CreateIntegrationRequest{
			Name: new("n é"), BaseUrl: new("https://x/"), IntegrationType: integrationv1.IntegrationType_INTEGRATION_TYPE_HTTP,
			Headers: map[string]string{"b": "2", "a": "1"},
		}
		change(req)
		return req
	}
	toolOf := func(change func(*integrationv1.CreateToolRequest)) *integrationv1.CreateToolRequest {
		req := &integrationv1.CreateToolRequest{
			IntegrationId: s.parent, Name: new("t"), Description: new("d"), EndpointPath: new("/"), Method: integrationv1.HttpMethod_HTTP_METHOD_POST,
			Body: []*integrationv1.BodyParam{{
				Name: new("p"), DataType: integrationv1.DataType_DATA_TYPE_OBJECT, Properties: []*integrationv1.BodyParam{
					{Name: new("q"), DataType: integrationv1.DataType_DATA_TYPE_NUMBER, FixedValue: value(100)},
				},
			}},
		}
		change(req)
		return req
	}
	same := func(*integrationv1.CreateToolRequest) {}
	tool := func(fixed, more string) string {
		return fmt.Sprintf(`{"name":"t","description":"d","endpoint_path":"/","method":"POST",`+
			`"body":[{"name":"p","data_type":"object","properties":[{"name":"q","data_type":"number","fixed_value":%s}]}]%s}`, fixed, more)
	}
	return []spelled{
		{
			path: "/v1/integration/template/" + templateID + "/copy",
			bodies: []string{
				`{"name":"é","variables":{"a":1,"b":[0,-2.5,null],"c":"é😀</","d":{}}}`,
				`{"variables":{"d":{ },"c":"\u00e9\ud83d\ude00<\/","b":[-0.0,-25e-1,null],"a":1.0e0},"n\u0061me":"\u00E9","api_key":null,"base_url":null}`,
				"\n{ \"name\" : \"\u00e9\" , \"unknown\" : [1] , \"variables\" : {\"b\":[0e9,-2.50,null],\"a\":10e-1,\"c\":\"\\u00e9\\uD83D\\uDE00\\u003c/\",\"d\":{}}}\n",
			},
			messages: []proto.Message{
				copyOf(func(*integrationv1.CopyTemplateRequest) {}),
				copyOf(func(r *integrationv1.CopyTemplateRequest) { r.TemplateId = strings.ToUpper(templateID) }),
				copyOf(func(r *integrationv1.CopyTemplateRequest) { r.Variables = negative }),
				copyOf(func(r *integrationv1.CopyTemplateRequest) {
					r.Variables, r.VariablesJson = nil, new(` {"b":[ -0 ,-2.5e0,null],"a":1.00,"c":"\u00e9😀</","d":{}}`)
				}),
				unknownField(copyOf(func(*integrationv1.CopyTemplateRequest) {})),
			},
			others: []string{
				`{"name":"e\u0301","variables":{"a":1,"b":[0,-2.5,null],"c":"é😀</","d":{}}}`, // another text to Diga
				`{"variables":{"a":1,"b":[0,-2.5,null],"c":"é😀</","d":{}}}`,
				`{"name":"é","api_key":"","variables":{"a":1,"b":[0,-2.5,null],"c":"é😀</","d":{}}}`,
				`{"name":"é","variables":{"a":1,"b":[0,-2.5],"c":"é😀</","d":{}}}`,
				`{"name":"é","variables":{"a":"1","b":[0,-2.5,null],"c":"é😀</","d":{}}}`,
				`{"name":"é","variables":{"a":1,"b":[0,-2.5,null],"c":"é😀</","d":null}}`,
				`{"name":"é","variables":{"a":1,"b":[0,-2.5,null],"c":"é😀</"}}`,
			},
		},
		{
			path: "/v1/integration",
			bodies: []string{
				`{"name":"n é","base_url":"https://x/","integration_type":"HTTP","headers":{"a":"1","b":"2"}}`,
				`{"headers":{"b":"\u0032","a":"1"},"integration_type":"HTTP","base_url":"https:\/\/x/","name":"n \u00e9","description":null,"auth_key":null,"unknown":{}}`,
			},
			messages: []proto.Message{
				integrationOf(func(*integrationv1.CreateIntegrationRequest) {}),
				unknownField(integrationOf(func(*integrationv1.CreateIntegrationRequest) {})),
			},
			others: []string{
				`{"name":"n é","base_url":"https://x/","integration_type":"HTTP","headers":{"a":"1","b":"2"},"description":""}`,
				`{"name":"n é","base_url":"https://x/","integration_type":"HTTP","headers":{"a":"1"}}`,
				`{"name":"n é","base_url":"https://x","integration_type":"HTTP","headers":{"a":"1","b":"2"}}`,
			},
		},
		{
			path: "/v1/integration/" + s.parent + "/tool",
			bodies: []string{
				tool("100", ""), tool("1e2", `,"query":[],"headers":{},"timeout":null,"path":null`), tool("100.0", `,"pre_speech":null,"execution_audio":null`),
			},
			messages: []proto.Message{
				toolOf(same),
				toolOf(func(r *integrationv1.CreateToolRequest) { r.IntegrationId = strings.ToUpper(s.parent) }),
				toolOf(func(r *integrationv1.CreateToolRequest) {
					p := r.GetBody()[0].GetProperties()[0]
					p.FixedValue, p.FixedValueJson = nil, new(" 1E+2 ")
				}),
				unknownField(toolOf(same)),
				toolOf(func(r *integrationv1.CreateToolRequest) { unknownField(r.GetBody()[0].GetProperties()[0]) }),
			},
			others: []string{tool("101", ""), tool(`"100"`, ""), tool("100", `,"timeout":0`), tool("100", `,"approval_required":false`)},
		},
	}
}

// call makes a call with a request id over gRPC, and returns the id of what it created.
func (s spelled) call(t *testing.T, d *createScene, message proto.Message, requestID string) (id string, replayed bool, err error) {
	t.Helper()
	var header metadata.MD
	message = proto.Clone(message)
	message.ProtoReflect().Set(message.ProtoReflect().Descriptor().Fields().ByName("request_id"), protoreflect.ValueOfString(requestID))
	switch req := message.(type) {
	case *integrationv1.CopyTemplateRequest:
		resp, e := d.rpc.CopyTemplate(d.ctx(t), req, grpc.Header(&header))
		id, err = resp.GetIntegration().GetId(), e
	case *integrationv1.CreateIntegrationRequest:
		resp, e := d.rpc.CreateIntegration(d.ctx(t), req, grpc.Header(&header))
		id, err = resp.GetIntegration().GetId(), e
	case *integrationv1.CreateToolRequest:
		resp, e := d.rpc.CreateTool(d.ctx(t), req, grpc.Header(&header))
		id, err = resp.GetTool().GetHttp().GetId(), e
	}
	return id, strings.Join(header.Get("digate-replayed"), "") == "true", err
}

// A request claims its id in one spelling, over either protocol, and every other spelling
// over either protocol finds the record. What Diga would take for another request does not.
func TestRequestID_EverySpellingOnEitherProtocol_HasOneRecord(t *testing.T) {
	t.Parallel()
	kinds := len(spellings(new(createScene)))
	for kind := range kinds {
		for i, total := 0, 1; i < total; i++ {
			scene := newCreateScene(t) // tools of one name need an integration each
			s := spellings(scene)[kind]
			total = len(s.bodies) + len(s.messages)
			created := ""
			for n := range total { // i is the first one
				k := (i + n) % total
				if k < len(s.bodies) {
					rest := scene.do(t, "POST", s.path, s.bodies[k], "Idempotency-Key", "one")
					if rest.status != 201 || (rest.header.Get("Digate-Replayed") == "true") != (n > 0) || !strings.Contains(rest.body, created) {
						t.Errorf("%s after %d, call %d: %d %s %v", s.bodies[k], i, n, rest.status, rest.body, rest.header)
					}
					continue
				}
				id, replayed, err := s.call(t, scene, s.messages[k-len(s.bodies)], "one")
				if err != nil || replayed != (n > 0) || created != "" && id != created {
					t.Errorf("%v after %d, call %d: %q, replayed %v, %v", s.messages[k-len(s.bodies)], i, n, id, replayed, err)
				}
				created = id
			}
			for _, body := range s.others {
				rest := scene.do(t, "POST", s.path, body, "Idempotency-Key", "one")
				if rest.status != 422 || !strings.Contains(rest.body, "request_id_reused") {
					t.Errorf("%s: %d %s", body, rest.status, rest.body)
				}
			}
		}
	}
}
