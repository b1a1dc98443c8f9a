package digajson

import (
	"slices"
	"strings"
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/exchange"
)

func TestStruct_MoreValuesThanTheBound_IsRefusedInARequestAndDriftInAResponse(t *testing.T) {
	zeros := func(n int) string { return `{"a":[` + strings.Repeat("0,", n-2) + `0]}` } // n values, the array being one
	request, err := Compile((&integrationv1.CopyTemplateRequest{}).ProtoReflect().Descriptor())
	if err != nil {
		t.Fatal(err)
	}
	if err := request.UnmarshalRequest([]byte(`{"variables":`+zeros(MaxValues)+`}`), new(integrationv1.CopyTemplateRequest)); err != nil {
		t.Errorf("at the bound: %v", err)
	}
	err = request.UnmarshalRequest([]byte(`{"variables":`+zeros(MaxValues+1)+`}`), new(integrationv1.CopyTemplateRequest))
	if e, ok := err.(*Error); !ok || e.Kind != kindTooMany || e.Field() != "variables.a[99999]" {
		t.Errorf("beyond it: %v", err)
	}

	response, err := Compile((&integrationv1.IntegrationTemplate{}).ProtoReflect().Descriptor())
	if err != nil {
		t.Fatal(err)
	}
	m := new(integrationv1.IntegrationTemplate)
	drift, err := response.UnmarshalResponse([]byte(`{"template":`+zeros(MaxValues+1)+`,"id":"x"}`), m)
	if err != nil || m.GetId() != "x" || m.Template != nil || !slices.ContainsFunc(drift, func(d exchange.Drift) bool { return d.String() == "template: too_long" }) {
		t.Errorf("a response: %v, %v, %v", m.GetId(), drift, err)
	}
}
