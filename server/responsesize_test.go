package server_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/exchange"
)

// large is an integration whose description alone is more than gRPC clients take.
func large() string {
	return `{"id":"` + templateID + `","name":"n","base_url":"https://a.example","description":"` + strings.Repeat("d", 4_900_000) + `","headers":{"a":"b"}}`
}

// The clients here have the bound that gRPC clients have by default.
func TestResponseSize_CopyThatWasMade_IsASuccessWithItsIDAndSaysWhatIsOmitted(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, large()))
	d := start(t, up.url())
	var trailer metadata.MD
	resp, err := d.rpc.CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID}, grpc.Trailer(&trailer))
	got := resp.GetIntegration()
	if err != nil || got.GetId() != templateID || got.GetName() != "n" || got.GetHeaders()["a"] != "b" || got.Description != nil {
		t.Errorf("%v, %.200s", err, got)
	}
	if omitted := fmt.Sprint(trailer.Get("digate-omitted")); omitted != "[integration.description]" {
		t.Errorf("omitted is %s", omitted)
	}
	d.log.await(t, 1, `"omitted":"integration.description"`)
	if whole := d.copyREST(t, templateID, "{}"); whole.status != 201 || whole.body != large() {
		t.Errorf("REST: status %d, %d bytes", whole.status, len(whole.body))
	}
}

func TestResponseSize_CopyOfABulkCall_KeepsItsIDs(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, large()))
	d := start(t, up.url())
	stream := d.bulk(t.Context(), t)
	if err := stream.Send(item(templateID, "one")); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	results, summary, err := drain(stream)
	if err != nil || len(results) != 1 || summary.GetTotal() != 1 {
		t.Fatalf("%v: %d results, %v", err, len(results), summary)
	}
	if r := results[0]; r.GetRequestId() != "one" || r.GetIntegration().GetId() != templateID || r.GetIntegration().Description != nil {
		t.Errorf("got %.200s", r)
	}
	if omitted := fmt.Sprint(stream.Trailer().Get("digate-omitted")); omitted != "[integration.description]" {
		t.Errorf("omitted is %s", omitted)
	}
}

// The id of a tool is a level deeper, in a oneof.
func TestResponseSize_ToolThatWasCreated_KeepsItsID(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, `{"type":"HTTP","id":"`+templateID+`","name":"n","method":"GET","description":"`+strings.Repeat("d", 100<<10)+`"}`))
	d := start(t, up.url(), func(c *config.Config) { c.MaxGRPCResponseBytes = 64 << 10 })
	var trailer metadata.MD
	resp, err := d.rpc.CreateTool(withToken(t.Context(), token), &integrationv1.CreateToolRequest{
		IntegrationId: templateID, Name: new("n"), Description: new("d"), EndpointPath: new("/x"), Method: integrationv1.HttpMethod_HTTP_METHOD_GET,
		ExecutionAudio: integrationv1.ExecutionAudio_EXECUTION_AUDIO_WAITING_MUSIC,
	}, grpc.Trailer(&trailer))
	if got := resp.GetTool().GetHttp(); err != nil || got.GetId() != templateID || got.GetName() != "n" || got.Description != nil {
		t.Errorf("%v, %.200s", err, got)
	}
	if omitted := fmt.Sprint(trailer.Get("digate-omitted")); omitted != "[tool.http.description]" {
		t.Errorf("omitted is %s", omitted)
	}
}

// A read is for the fields, so it fails, and is not repeated.
func TestResponseSize_Read_FailsWithAVerdictAndInvitesNoRetry(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	template := `{"id":"` + templateID + `","name":"n","description":"` + strings.Repeat("d", 100<<10) + `"}`
	d := start(t, up.url(), func(c *config.Config) { c.MaxGRPCResponseBytes = 64 << 10 })
	ctx := withToken(t.Context(), token)
	var trailer metadata.MD
	for name, read := range map[string]func() error{
		"one": func() error {
			up.will(respond(200, nil, template))
			_, err := d.rpc.GetTemplate(ctx, &integrationv1.GetTemplateRequest{TemplateId: templateID}, grpc.Trailer(&trailer))
			return err
		},
		"a page": func() error {
			up.will(respond(200, nil, `{"data":[`+template+`],"total":1}`))
			_, err := d.rpc.ListTemplates(ctx, new(integrationv1.ListTemplatesRequest), grpc.Trailer(&trailer))
			return err
		},
	} {
		e := verdict(t, read())
		if e.Code != codes.ResourceExhausted || e.Reason != apierror.ReasonResponseTooLarge || e.Outcome != exchange.Done || e.RetryAfter != nil {
			t.Errorf("%s: %v", name, e)
		}
		if p := fmt.Sprint(trailer.Get("grpc-retry-pushback-ms")); p != "[-1]" {
			t.Errorf("%s: pushback %s", name, p)
		}
	}
}
