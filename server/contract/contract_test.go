package contract_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/contract"
)

func TestLoad_OurServices_HaveEveryMethodAndItsHTTPForm(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(contract.Integration(), contract.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(c.Methods()), contract.Integration().Methods().Len()+contract.Ledger().Methods().Len(); got != want {
		t.Errorf("%d methods, want %d", got, want)
	}
	create := c.Method("/diga.integration.v1.IntegrationService/CopyTemplate")
	if create == nil || !create.Unary || create.FacadeOnly || !create.Write || create.SuccessStatus != 201 ||
		create.Binding.Verb != "POST" || create.Binding.Body == nil || create.Binding.Query != nil ||
		create.Binding.ResponseField == nil || !create.Binding.HasID || !create.Binding.Match("/v1/integration/template/x/copy") {
		t.Errorf("CopyTemplate: %+v", create)
	}
	list := c.Method("/diga.integration.v1.IntegrationService/ListTools")
	if list == nil || list.Write || list.SuccessStatus != 200 || list.Binding.Body != nil || len(list.Binding.Query) != 5 || list.Binding.HasID {
		t.Errorf("ListTools: %+v", list)
	}
	bulk := c.Method("/diga.integration.v1.IntegrationService/BulkCopyTemplate")
	if p := c.Method("/diga.integration.v1.IntegrationService/PreviewCopyTemplate"); p == nil || !p.Unary || !p.FacadeOnly || p.Write || p.Binding.Verb != "POST" {
		t.Errorf("the preview is %+v", p)
	}
	if bulk == nil || bulk.Unary || !bulk.FacadeOnly || !bulk.Write || bulk.Binding != nil {
		t.Errorf("BulkCopyTemplate: %+v", bulk)
	}
	record := c.Method("/digate.v1.LedgerService/GetCopy")
	if record == nil || !record.Unary || !record.FacadeOnly || record.Binding != nil {
		t.Errorf("GetCopy: %+v", record)
	}
	if c.Method("/diga.integration.v1.IntegrationService/Nothing") != nil {
		t.Error("an unknown name has a method")
	}
}

// A preview is digate's own and looks at the values; a copy of a bulk stream is forwarded
// within a message that is not.
func TestForwarded_Requests_AreThoseThatDigaGets(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(contract.Integration(), contract.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	for m, want := range map[proto.Message]bool{
		new(integrationv1.CopyTemplateRequest): true, new(integrationv1.CreateToolRequest): true,
		new(integrationv1.PreviewCopyTemplateRequest): false, new(integrationv1.BulkCopyTemplateRequest): false,
	} {
		if got := c.Forwarded(m.ProtoReflect().Descriptor()); got != want {
			t.Errorf("%T: %v", m, got)
		}
	}
}
