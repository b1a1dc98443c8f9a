package contract_test

import (
	"testing"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/contract/contracttest"
)

func TestIdempotencyKey_IsTheFieldThatIsMarked(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(contract.Integration(), contracttest.Service(t, contracttest.Method("Keyed", "Empty", `post: "/keyed/{id}" body: "*"`)))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"/diga.integration.v1.IntegrationService/CopyTemplate": "request_id",
		"/diga.integration.v1.IntegrationService/GetTemplate":  "",
		"/t.S/Do": "key",
	} {
		got := ""
		if fd := contract.IdempotencyKey(c.Method(name).Descriptor.Input()); fd != nil {
			got = string(fd.Name())
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestOpen_OnlyHealthAndReflection(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(contract.Integration(), contract.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(c.Names(), "", "/", "/grpc.health.v1.Healthy/Check", "/x/grpc.health.v1.Health/Check", "/grpc.reflectionist.v1/Do", "/grpc.reflection.v2.ServerReflection/ServerReflectionInfo",
		"grpc.health.v1.Health/Check", "grpc.health.v1.Health", "/grpc.health.v1.Health", "//grpc.health.v1.Health/Check") {
		if contract.Open(name) {
			t.Errorf("%q needs no credential", name)
		}
	}
	for _, name := range []string{
		"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
		"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
	} {
		if !contract.Open(name) {
			t.Errorf("%q needs a credential", name)
		}
	}
}
