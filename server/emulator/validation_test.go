package emulator_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/digate/digate/server/emulator"
)

// The recorded responses are those of an application with the contract's parameters and models, on
// FastAPI 0.121.3, pydantic 2.12.4 and Python 3.11: the generation of FastAPI whose ValidationError
// schema Diga publishes.
func TestInvalidRequests_GetFastAPIsResponse(t *testing.T) {
	t.Parallel()
	var rows []struct {
		Method, Path, Body, Response string
		Status                       int
	}
	data, err := os.ReadFile("testdata/validation.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	u := start(t, emulator.Options{})
	for _, row := range rows {
		got := u.call("t", row.Method, row.Path, row.Body)
		if got.status != row.Status || got.body != row.Response {
			t.Errorf("%s %s %.200s\ngot  %d %s\nwant %d %s", row.Method, row.Path, row.Body, got.status, got.body, row.Status, row.Response)
		}
	}
	if n := len(u.Integrations("t")); n != 0 {
		t.Errorf("%d integrations were created", n)
	}
}

func TestBody_ContentType_DecidesWhetherItIsJSON(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for kind, json := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "APPLICATION/JSON": true, "application/problem+json": true, "": true,
		"text/plain": false, "application/x-www-form-urlencoded": false, "text/json": false, "application/jsonx": false, "json": false,
	} {
		r := u.request("t", "POST", "/v1/integration/template/"+deepwiki+"/copy", `{"name":"é"}`)
		r.Header.Del("Content-Type")
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		got := u.send(r)
		if json && got.status != 201 {
			t.Errorf("%q: %d %s", kind, got.status, got.body)
		}
		if !json {
			wantReply(t, got, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],`+
				`"msg":"Input should be a valid dictionary or object to extract fields from","input":"{\"name\":\"é\"}"}]}`)
		}
	}
}

func TestBody_TooLarge_Is413(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	fits := `{"name":"` + strings.Repeat("x", 1<<20-len(`{"name":""}`)) + `"}`
	if got := u.copy("t", deepwiki, fits); got.status != 201 {
		t.Errorf("1 MiB: %d %.200s", got.status, got.body)
	}
	wantReply(t, u.copy("t", deepwiki, fits+" "), 413, `{"detail":"Request Entity Too Large"}`)
}

func TestQuery_LastValueCounts_AndUnknownOnesAreIgnored(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	p := u.list("t", "/v1/integration/template?limit=x&foo=%zz&&limit=%20+1_0+&language=en&language=e%73&page=%2B1&&=")
	if len(p.Data) == 0 || p.Data[0].Language != "es" || *p.CurrentPage != 1 {
		t.Errorf("got %+v", p)
	}
}
