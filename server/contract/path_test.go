package contract_test

import (
	"testing"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/contract/contracttest"
)

func TestMatch_Path_IsOfTheFormOrNot(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		template, path string
		want           bool
	}{
		{"/a/{id}/b", "/a/x/b", true},
		{"/a/{id}/b", "/a//b", false},
		{"/a/{id}/b", "/a/x/c", false},
		{"/a/{id}/b", "/a/x%2Fy/b", true}, // the path is decoded: a percent sign is one
		{"/a/{id}/b", "/a/x/y/b", false},
		{"/a/{id}/b", "/a/x/b/", false},
		{"/a/{id}/b", "a/x/b", false},
		{"/a/{id}", "/a/", false},
		{"/a/{id}", "/a", false},
		{"/a/{id}:cancel", "/a/x:cancel", true},
		{"/a/{id}:cancel", "/a/:cancel", false},
		{"/a/{id}:cancel", "/a/x", false},
		{"/a/{id=*}", "/a/x", true},
		{"/a:list", "/a:list", true},
		{"/a:list", "/a", false},
	} {
		c, err := contract.Load(contracttest.Service(t, contracttest.Method("Plain", "Empty", `get: "`+tt.template+`"`)))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Method("/t.S/Do").Binding.Match(tt.path); got != tt.want {
			t.Errorf("%s, %s: %v", tt.template, tt.path, got)
		}
	}
}
