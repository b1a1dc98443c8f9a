package contract_test

import (
	"strings"
	"testing"

	_ "google.golang.org/protobuf/types/known/anypb"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/contract/contracttest"
)

func TestLoad_RuleThatOneDirectionCannotFollow_IsAnErrorThatNamesMethodAndRule(t *testing.T) {
	t.Parallel()
	tests := []struct{ method, want string }{
		{`input_type: ".t.Plain" output_type: ".t.Empty"`, "no google.api.http rule"},
		{contracttest.Method("Plain", "Empty", ``), `verb ""`},
		{contracttest.Method("Plain", "Empty", `custom { kind: "*" path: "/a" }`), `verb "*"`},
		{contracttest.Method("Plain", "Empty", `custom { kind: "A B" path: "/a" }`), `verb "A B"`},
		{contracttest.Method("Plain", "Empty", `custom { kind: "get" path: "/a" }`), `verb "get"`},
		{contracttest.Method("Plain", "Empty", `custom { kind: "CONNECT" path: "/a" }`), `verb "CONNECT"`},
		{contracttest.Method("Plain", "Inner", `custom { kind: "HEAD" path: "/a" }`), "the response to a HEAD has no body, and the response message has fields"},
		{contracttest.Method("Plain", "Empty", `custom { kind: "HEAD" path: "/a" } body: "*"`), "a HEAD has no body"},
		{contracttest.Method("Plain", "Empty", `get: "/a" additional_bindings { get: "/b" }`), "additional bindings"},
		{contracttest.Method("Plain", "Empty", `get: "/a"`) + ` client_streaming: true`, "stream"},
		{contracttest.Method("Plain", "Empty", `get: "/a"`) + ` server_streaming: true`, "stream"},
		{contracttest.MethodWith("Plain", "Empty", `get: "/a"`, `facade_only: true`) + ` server_streaming: true client_streaming: true`, "stream"},
		{contracttest.MethodWith("Plain", "Empty", `post: "/a" body: "*"`, `facade_only: true`) + ` server_streaming: true`, "stream"},
		{contracttest.Method("Plain", "Empty", `get: "a"`), `"a" does not begin with a slash`},
		{contracttest.Method("Plain", "Empty", `get: "/"`), `segment ""`},
		{contracttest.Method("Plain", "Empty", `get: "/a//b"`), `segment ""`},
		{contracttest.Method("Plain", "Empty", `get: "/a/"`), `segment ""`},
		{contracttest.Method("Plain", "Empty", `get: "/a/../b"`), `segment ".."`},
		{contracttest.Method("Plain", "Empty", `get: "/a/./b"`), `segment "."`},
		{contracttest.Method("Plain", "Empty", `get: "/a/*"`), `segment "*"`},
		{contracttest.Method("Plain", "Empty", `get: "/a/**"`), `segment "**"`},
		{contracttest.Method("Plain", "Empty", `get: "/a b"`), `segment "a b"`},
		{contracttest.Method("Plain", "Empty", `get: "/a%2Fb"`), `segment "a%2Fb"`},
		{contracttest.Method("Plain", "Empty", `get: "/x{id}"`), `segment "x{id}"`},
		{contracttest.Method("Plain", "Empty", `get: "/{id"`), `segment "{id"`},
		{contracttest.Method("Plain", "Empty", `get: "/{id=a/*}"`), `segment "{id=a"`},
		{contracttest.Method("Plain", "Empty", `get: "/{id=a}"`), `segment "{id=a}"`},
		{contracttest.Method("Plain", "Empty", `get: "/{id=**}"`), `segment "{id=**}"`},
		{contracttest.Method("Plain", "Empty", `get: "/{id}{parent}"`), `segment "{id}{parent}"`},
		{contracttest.Method("Plain", "Empty", `get: "/{id}."`), `segment "{id}."`},
		{contracttest.Method("Plain", "Empty", `get: "/{id}:"`), `segment "{id}:"`},
		{contracttest.Method("Plain", "Empty", `get: "/{id}:a:b"`), `segment "{id}:a:b"`},
		{contracttest.Method("Plain", "Empty", `get: "/{id}:a b"`), `segment "{id}:a b"`},
		{contracttest.Method("Plain", "Empty", `get: "/{id}:a/b"`), `segment "{id}:a"`},
		{contracttest.Method("Plain", "Empty", `get: "/a:b/{id}"`), `segment "a:b"`},
		{contracttest.Method("Plain", "Empty", `get: "/a:"`), `segment "a:"`},
		{contracttest.Method("Plain", "Empty", `get: "/:a"`), `segment ":a"`},
		{contracttest.Method("Plain", "Empty", `get: "/a:b:c"`), `segment "a:b:c"`},
		{contracttest.Method("Plain", "Empty", `get: "/{id}/{id}"`), `"id" is in it twice`},
		{contracttest.Method("Plain", "Empty", `get: "/{nothing}"`), `no field "nothing"`},
		{contracttest.Method("Full", "Empty", `get: "/{inner.id}"`), `segment "{inner.id}"`},
		{contracttest.Method("Plain", "Empty", `get: "/{limit}"`), `"limit" is not a plain string`},
		{contracttest.Method("Plain", "Empty", `get: "/{after}"`), `"after" is not a plain string`},
		{contracttest.Method("Lists", "Empty", `get: "/{tags}"`), `"tags" is not a plain string`},
		{contracttest.Method("Plain", "Empty", `get: "/{request_id}"`), `"request_id" is facade_only`},
		{contracttest.Method("Plain", "Empty", `get: "/a" body: "*"`), "a GET has no body"},
		{contracttest.Method("Plain", "Empty", `delete: "/a" body: "*"`), "a DELETE has no body"},
		// Either body is one that upstream could write and the gateway not read.
		{contracttest.Method("Full", "Empty", `post: "/a" body: "inner"`), `body "inner"`},
		{contracttest.Method("Full", "Empty", `post: "/{id}" body: "inner"`), `body "inner"`},
		{contracttest.Method("Full", "Empty", `post: "/a" body: "nothing"`), `body "nothing"`},
		{contracttest.Method("Full", "Empty", `post: "/a" body: "id"`), `body "id"`},
		{contracttest.Method("Lists", "Empty", `post: "/a" body: "inners"`), `body "inners"`},
		{contracttest.Method("Full", "Empty", `post: "/a" body: "hidden"`), `body "hidden"`},
		{contracttest.Method("Full", "Empty", `get: "/{id}"`), "t.Full.inner has no form in a query"},
		{contracttest.Method("Lists", "Empty", `get: "/{id}"`), "t.Lists.tags has no form in a query"},
		{contracttest.Method("Odd", "Empty", `post: "/a" body: "*"`), "google.protobuf.Any has no form"},
		{contracttest.Method("Plain", "Odd", `get: "/a"`), "google.protobuf.Any has no form"},
		{contracttest.Method("Plain", "Full", `get: "/a" response_body: "id"`), `response_body "id"`},
		{contracttest.Method("Plain", "Lists", `get: "/a" response_body: "inners"`), `response_body "inners"`},
		{contracttest.Method("Plain", "Empty", `get: "/a" response_body: "nothing"`), `response_body "nothing"`},
		{contracttest.Method("SentKey", "Empty", `post: "/a" body: "*"`), `idempotency_key "key" is not facade_only`},
		{contracttest.Method("NumberKey", "Empty", `post: "/a" body: "*"`), `idempotency_key "key" is not a plain string`},
		{contracttest.Method("TwoKeys", "Empty", `post: "/a" body: "*"`), "more than one field is the idempotency_key"},
		{contracttest.Method("Keyed", "Empty", `post: "/{key}" body: "*"`), `"key" is facade_only`},
		{contracttest.MethodWith("Plain", "Empty", `get: "/a"`, `success_status: 404`), "success_status 404"},
		{contracttest.MethodWith("Plain", "Empty", `get: "/a"`, `success_status: 199`), "success_status 199"},
		{contracttest.MethodWith("Plain", "Inner", `get: "/a"`, `success_status: 204`), "success_status 204 has no body"},
	}
	for _, tt := range tests {
		c, err := contract.Load(contracttest.Service(t, tt.method))
		if err == nil || c != nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "t.S.Do: ") {
			t.Errorf("%s:\n got %v\nwant t.S.Do: …%s…", tt.method, err, tt.want)
		}
	}
}

func TestLoad_SeveralRulesThatCannotBeFollowed_AreAllNamed(t *testing.T) {
	t.Parallel()
	_, err := contract.Load(contracttest.Service(t,
		contracttest.Method("Plain", "Empty", `custom { kind: "*" path: "/{nothing}" } response_body: "none" additional_bindings { get: "/b" }`),
		contracttest.Method("Plain", "Empty", `get: "/a"`),
		contracttest.Method("Lists", "Empty", `get: "/b"`),
	))
	if err == nil {
		t.Fatal("the rules were accepted")
	}
	for _, want := range []string{
		`t.S.Do: verb "*"`, "t.S.Do: additional bindings", `t.S.Do: path "/{nothing}"`, `t.S.Do: response_body "none"`, "t.S.Do3: t.Lists.tags",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "Do2") {
		t.Errorf("%v\nnames a method whose rule is right", err)
	}
}

// The gateway asks the last route first, as grpc-gateway does.
func TestLoad_RoutesThatHideEachOther_AreAnError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		first, second string
		want          string // empty where both are reached
	}{
		{`get: "/a/{id}"`, `get: "/a/b"`, ""},
		{`get: "/a/b"`, `get: "/a/{id}"`, "t.S.Do2"},
		{`get: "/a/b"`, `get: "/a/b"`, "t.S.Do2"},
		{`get: "/a/{id}"`, `get: "/a/{parent}"`, "t.S.Do2"},
		{`get: "/a/{id}"`, `get: "/a/{id}:b"`, ""},
		{`get: "/a/{id}:b"`, `get: "/a/{id}"`, "t.S.Do2"},
		{`get: "/a/{id}:b"`, `get: "/a/{id}:c"`, ""},
		{`get: "/a/{id}:b"`, `get: "/a/{parent}:b"`, "t.S.Do2"},
		{`get: "/a/x:b"`, `get: "/a/{id}:b"`, "t.S.Do2"},
		{`get: "/a/{id}:b"`, `get: "/a/x:b"`, ""},
		{`get: "/a/x:c"`, `get: "/a/{id}:b"`, ""},
		{`get: "/a/{id}"`, `delete: "/a/{id}"`, ""},
		{`get: "/a/{id}"`, `get: "/a/{id}/b"`, ""},
		{`get: "/{id}/b"`, `get: "/a/{id}"`, ""},
		{`get: "/a/{id}"`, `get: "/{id}/b"`, "t.S.Do2"},
	} {
		_, err := contract.Load(contracttest.Service(t, contracttest.Method("Plain", "Empty", tt.first), contracttest.Method("Plain", "Empty", tt.second)))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want) || !strings.Contains(err.Error(), "t.S.Do's")) {
			t.Errorf("%s, then %s: got %v, want %q", tt.first, tt.second, err, tt.want)
		}
	}
}

func TestLoad_Verb_DecidesWhetherTheMethodWrites(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]bool{
		`get: "/a"`: false, `custom { kind: "HEAD" path: "/a" }`: false,
		`put: "/a"`: true, `post: "/a"`: true, `patch: "/a"`: true, `delete: "/a"`: true, `custom { kind: "PURGE" path: "/a" }`: true,
	} {
		c, err := contract.Load(contracttest.Service(t, contracttest.Method("Plain", "Empty", rule)))
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		if m := c.Method("/t.S/Do"); m.Write != want || !strings.Contains(strings.ToUpper(rule), m.Binding.Verb) {
			t.Errorf("%s: verb %s, write %v", rule, m.Binding.Verb, m.Write)
		}
	}
}

// What digate serves by itself may still be a route.
func TestLoad_FacadeOnlyMethod_MayHaveAnHTTPForm(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(contracttest.Service(t, contracttest.MethodWith("Plain", "Empty", `get: "/a"`, `facade_only: true`)))
	if err != nil {
		t.Fatal(err)
	}
	if m := c.Method("/t.S/Do"); !m.FacadeOnly || m.Binding == nil || m.Write {
		t.Errorf("got %+v", m)
	}
}

func TestLoad_Response_HasAnIDWhereEveryVariantHasOne(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]bool{"Inner": true, "Flat": true, "HalfFlat": false, "NoID": false, "Empty": false} {
		c, err := contract.Load(contracttest.Service(t, contracttest.Method("Plain", out, `get: "/a"`)))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Method("/t.S/Do").Binding.HasID; got != want {
			t.Errorf("%s: %v", out, got)
		}
	}
}
