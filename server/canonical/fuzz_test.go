package canonical_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/canonical"
)

// FuzzCopy makes any request canonical: the form is its own form, and the request stays
// as it came.
func FuzzCopy(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":-0.0,"b":[-0,1e2,100]}`, `{"a":9007199254740993}`, `{"a":1e400}`, `{}`, `null`, `[`, `{"é":"\u00e9"}`, ` {"b":1, "a":{}} `} {
		f.Add(s, "T-1", "name")
	}
	f.Fuzz(func(t *testing.T, variables, template, name string) {
		req := &integrationv1.CopyTemplateRequest{TemplateId: template, Name: &name, VariablesJson: &variables}
		before := proto.CloneOf(req)
		once := canonical.Copy(req)
		if !proto.Equal(before, req) {
			t.Fatalf("%v became %v", before, req)
		}
		if twice := canonical.Copy(once); !proto.Equal(once, twice) {
			t.Errorf("%q became %v, then %v", variables, once, twice)
		}
	})
}
