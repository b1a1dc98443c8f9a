package main

import (
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// words returns a text with one blank between its words.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// A tool in doubt is shown with its method and settled as a tool, also where a copy
// has the same request id.
func TestLedger_ToolInDoubt_IsShownAndSettled(t *testing.T) {
	addr, e := stand(t)
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	service := integrationv1.NewIntegrationServiceClient(conn)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+clitest.Token)
	parent := copied(t, addr, clitest.TemplateID)
	create := func() error {
		_, err := service.CreateTool(ctx, &integrationv1.CreateToolRequest{
			IntegrationId: parent, Name: new(resetAfter), Description: new("d"), EndpointPath: new("/"),
			Method: integrationv1.HttpMethod_HTTP_METHOD_GET, RequestId: "order-1",
		})
		return err
	}
	if err := create(); err == nil {
		t.Fatal("the tool is not in doubt")
	}
	tools := func() (id string) {
		for _, in := range e.Integrations(clitest.Token) {
			for _, tool := range in.Tools {
				if tool.Name == resetAfter {
					id += tool.ID
				}
			}
		}
		return id
	}
	made := tools()
	got := digate(t, "ledger", "show", "order-1", "--addr", addr)
	for _, want := range []string{"method CreateTool ", "state UNKNOWN ", "parent " + parent + " ", "tool - "} {
		if !strings.Contains(words(got.Out), want) {
			t.Errorf("no %q in\n%s", want, got.Out)
		}
	}
	if want := " ledger resolve order-1 --tool " + made + " --addr " + addr + "\n"; got.Code != client.ExitDone || !strings.Contains(got.Err, want) {
		t.Errorf("no %q in\n%s", want, got.Err)
	}
	// A copy in doubt under the same id: both are shown, and neither is settled unasked.
	if got := digate(t, "copy", resetAfter, "--request-id", "order-1", "--addr", addr); got.Code != client.ExitUnknown {
		t.Fatalf("%+v", got)
	}
	got = digate(t, "ledger", "show", "order-1", "--addr", addr)
	if !strings.Contains(words(got.Out), "method CopyTemplate ") || !strings.Contains(words(got.Out), "method CreateTool ") ||
		!strings.Contains(got.Err, "--not-created --method CreateTool --addr "+addr) {
		t.Errorf("%+v", got)
	}
	got = digate(t, "ledger", "resolve", "order-1", "--tool", made, "--yes", "--addr", addr)
	if got.Code != client.ExitUsage || !strings.Contains(got.Err, "--method names the one") {
		t.Errorf("%+v", got)
	}
	got = digate(t, "ledger", "resolve", "order-1", "--tool", made, "--method", "CreateTool", "--yes", "--addr", addr)
	if got.Code != client.ExitDone || !strings.Contains(words(got.Out), "tool "+made+" ") || !strings.Contains(words(got.Out), "state DONE ") {
		t.Errorf("%+v", got)
	}
	// Of the two, the copy alone is in doubt now.
	got = digate(t, "ledger", "resolve", "order-1", "--not-created", "--yes", "--addr", addr)
	if got.Code != client.ExitDone || digate(t, "ledger", "show", "order-1", "--method", "CopyTemplate", "--addr", addr).Code != client.ExitFailed {
		t.Errorf("%+v", got)
	}
	if err := create(); err != nil || tools() != made {
		t.Errorf("the settled tool: %v, tools %s", err, tools())
	}
}
