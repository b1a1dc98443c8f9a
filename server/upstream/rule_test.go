package upstream

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/contract/contracttest"
)

// loaded returns the contract of a service that has no rule to refuse.
func loaded(t *testing.T, services ...protoreflect.ServiceDescriptor) *contract.Contract {
	t.Helper()
	c, err := contract.Load(services...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompile_FacadeOnlyMethod_HasNoRule(t *testing.T) {
	sd := contracttest.Service(t, `input_type: ".t.Plain" output_type: ".t.Empty" options { [digate.annotations.v1.method] { facade_only: true } }`)
	if rules := compile(loaded(t, sd)); len(rules) != 0 {
		t.Errorf("got %v", rules)
	}
}

func TestNew_URLThatIsNoBase_IsAnErrorThatDoesNotQuoteIt(t *testing.T) {
	for _, url := range []string{"", "api.diga.io", "ftp://hunter2", "https://", "https://u:hunter2@h", "https://h?k=hunter2", "https://h#hunter2", "http://hunter2\x7f"} {
		_, err := New(testConfig(url), new(contract.Contract))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
