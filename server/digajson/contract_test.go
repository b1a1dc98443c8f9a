package digajson_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
	"github.com/digate/digate/server/digajson"
)

// toolPage is a page of tools as Diga sends it.
const toolPage = `{"data":[{"id":"t1","type":"HTTP","name":"Find order","description":null,"endpoint_path":"/orders/{id}","headers":{"X-A":"b"},"method":"GET",` +
	`"timeout":30,"approval_required":false,"execution_audio":"waiting_music","pre_speech":"auto"},` +
	`{"name":"search","description":"Searches","type":"MCP","parameters":{"type":"object","properties":{}},"approval_required":true}],"has_more":false,"current_page":1}`

func TestContract_EveryMessageOfTheService_HasAForm(t *testing.T) {
	services := integrationv1.File_diga_integration_v1_integration_service_proto.Services()
	for i := range services.Len() {
		methods := services.Get(i).Methods()
		for j := range methods.Len() {
			own, _ := proto.GetExtension(methods.Get(j).Options(), annotationsv1.E_Method).(*annotationsv1.MethodRules)
			if own.GetFacadeOnly() {
				continue
			}
			compile(t, methods.Get(j).Input())
			compile(t, methods.Get(j).Output())
		}
	}
}

func TestContract_PageOfTools_IsReadWithTheVariantOfEachTool(t *testing.T) {
	c := compile(t, (&integrationv1.ListToolsResponse{}).ProtoReflect().Descriptor())
	m := new(integrationv1.ListToolsResponse)
	if drift, err := c.UnmarshalResponse([]byte(toolPage), m); err != nil || len(drift) != 0 {
		t.Fatalf("%q, %v", drift, err)
	}
	http, mcp := m.GetData()[0].GetHttp(), m.GetData()[1].GetMcp()
	if http.GetId() != "t1" || http.GetTimeout() != 30 || http.GetMethod() != integrationv1.HttpMethod_HTTP_METHOD_GET || http.Description != nil ||
		http.GetExecutionAudio() != integrationv1.ExecutionAudio_EXECUTION_AUDIO_WAITING_MUSIC || http.GetHeaders()["X-A"] != "b" {
		t.Errorf("got %v", http)
	}
	if mcp.GetName() != "search" || mcp.Id != nil || !mcp.GetApprovalRequired() || len(mcp.GetParameters().GetFields()) != 2 {
		t.Errorf("got %v", mcp)
	}
}

func TestContract_UpdateOfAnIntegration_AbsentStaysNullClears(t *testing.T) {
	update := compileUpdate(t)
	for _, text := range []string{
		`{}`, `{"name":"x"}`, `{"name":"x","description":null,"auth_key":null}`, `{"description":""}`, `{"headers":null}`, `{"headers":{"a":"b"}}`, `{"base_url":null}`,
	} {
		m := new(integrationv1.UpdateIntegrationRequest)
		if err := update.UnmarshalRequest([]byte(text), m); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := update.AppendRequest(nil, m)
		wantWritten(t, text, got, err, text)
	}
}

func compileUpdate(t *testing.T) *digajson.Codec {
	return compile(t, (&integrationv1.UpdateIntegrationRequest{}).ProtoReflect().Descriptor(), digajson.Exclude("integration_id"))
}
