package responsesize

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/contract"
)

// boundOf returns the bound of so many bytes.
func boundOf(t *testing.T, bytes int) *Bound {
	t.Helper()
	c, err := contract.Load(contract.Integration(), contract.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	return &Bound{Bytes: int64(bytes), Contract: c}
}

func response(description string) *integrationv1.CopyTemplateResponse {
	return &integrationv1.CopyTemplateResponse{Integration: &integrationv1.Integration{Id: "i", Name: "n", Description: &description}}
}

func TestFits_ResponseAsLargeAsTheBound_Fits(t *testing.T) {
	resp := response(strings.Repeat("d", 1000))
	if size := proto.Size(resp); !boundOf(t, size).fits(resp) || boundOf(t, size-1).fits(resp) {
		t.Errorf("a response of %d bytes does not fit just within them", size)
	}
}

// Callers that waited for one copy share its response.
func TestFitResponse_SharedResponse_IsLeftWhole(t *testing.T) {
	resp := response(strings.Repeat("d", 1000))
	before := proto.CloneOf(resp)
	omitted := new(omissions)
	for range 2 { // as for two messages of a stream
		got, err := boundOf(t, 500).fitResponse(integrationv1.IntegrationService_CopyTemplate_FullMethodName, resp, omitted)
		if err != nil || got.(*integrationv1.CopyTemplateResponse).GetIntegration().Description != nil {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if !proto.Equal(resp, before) {
		t.Error("the response of another caller lost a field")
	}
	if names := omitted.note(t.Context()); names != "integration.description" {
		t.Errorf("omitted: %q, want the field once", names)
	}
}
