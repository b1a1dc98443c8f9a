package emulator_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/digate/digate/server/emulator"
)

// The recorded answers are those of an application with the contract's parameters and models, on
// FastAPI 0.121.3, pydantic 2.12.4 and Python 3.11: the generation of FastAPI whose ValidationError
// schema the vendor publishes.
func TestInvalidRequests_AreAnsweredLikeFastAPI(t *testing.T) {
	var rows []struct {
		Method, Path, Body, Answer string
		Status                     int
	}
	data, err := os.ReadFile("testdata/validation.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	v := start(t, emulator.Options{})
	for _, row := range rows {
		got := v.call("t", row.Method, row.Path, row.Body)
		if got.status != row.Status || got.body != row.Answer {
			t.Errorf("%s %s %.200s\ngot  %d %s\nwant %d %s", row.Method, row.Path, row.Body, got.status, got.body, row.Status, row.Answer)
		}
	}
	if n := len(v.Integrations("t")); n != 0 {
		t.Errorf("%d integrations were created", n)
	}
}

func TestBody_ContentType_DecidesWhetherItIsJSON(t *testing.T) {
	v := start(t, emulator.Options{})
	for kind, json := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "APPLICATION/JSON": true, "application/problem+json": true, "": true,
		"text/plain": false, "application/x-www-form-urlencoded": false, "text/json": false, "application/jsonx": false, "json": false,
	} {
		r := v.request("t", "POST", "/v1/integration/template/"+deepwiki+"/copy", `{"name":"é"}`)
		r.Header.Del("Content-Type")
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		got := v.send(r)
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
	v := start(t, emulator.Options{})
	fits := `{"name":"` + strings.Repeat("x", 1<<20-len(`{"name":""}`)) + `"}`
	if got := v.copy("t", deepwiki, fits); got.status != 201 {
		t.Errorf("1 MiB: %d %.200s", got.status, got.body)
	}
	wantReply(t, v.copy("t", deepwiki, fits+" "), 413, `{"detail":"Request Entity Too Large"}`)
}

func TestQuery_LastValueCounts_AndUnknownOnesAreIgnored(t *testing.T) {
	v := start(t, emulator.Options{})
	p := v.list("t", "/v1/integration/template?limit=x&foo=%zz&&limit=%20+1_0+&language=en&language=e%73&page=%2B1&&=")
	if len(p.Data) == 0 || p.Data[0].Language != "es" || *p.CurrentPage != 1 {
		t.Errorf("got %+v", p)
	}
}
