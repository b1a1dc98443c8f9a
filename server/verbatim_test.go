package server_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
)

// manyDigits are variables that no Struct holds.
const manyDigits = `{ "shop":1234567890123456789,"rate" : 1.0 }`

func TestVariablesJSON_TextThatIsNoVariables_IsRefusedAndNothingIsSent(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	for text, want := range map[string]string{
		"":                    "variables_json JSON_INVALID: the JSON ends too early (byte 0)",
		`{"a":` + varSec:      "variables_json JSON_INVALID: the JSON is not valid here (byte 5)",
		`["` + varSec + `"]`:  "variables_json DICT_TYPE: must be a JSON object",
		`{"a":{"b":1,"b":2}}`: "variables_json.a.b DUPLICATE_KEY: the key is there twice",
		`{"a":"\ud800"}`:      "variables_json.a STRING_UNICODE: must be valid Unicode",
		strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 100): "variables_json" + strings.Repeat(".a", 99) + " RECURSION_LOOP: is nested too deeply",
		`{"a":[0` + strings.Repeat(",0", digajson.MaxValues) + `]}`:   "variables_json TOO_LONG: is one value too many",
	} {
		for _, id := range []string{"", "r-1"} {
			_, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: id, VariablesJson: &text})
			if got := violation(err); got != want {
				t.Errorf("%.30s: got %s, want %s", text, got, want)
			}
		}
		_, err := d.rpc.PreviewCopyTemplate(withToken(t.Context(), token), &integrationv1.PreviewCopyTemplateRequest{TemplateId: templateID, VariablesJson: &text})
		if got := violation(apierror.FromError(err)); !strings.HasPrefix(got, "variables_json") {
			t.Errorf("%.30s: got %s", text, got)
		}
	}
	both := &integrationv1.CopyTemplateRequest{TemplateId: templateID, Variables: structOf("a", "b"), VariablesJson: proto.String(`{"a":"b"}`)}
	_, err := d.copyRPC(t, both)
	if got := violation(err); got != "variables_json ONEOF_SET_TWICE: only one of variables and variables_json may be set" {
		t.Error(got)
	}
	stream := d.bulk(t.Context(), t)
	both.RequestId = "both"
	if err := stream.Send(&integrationv1.BulkCopyTemplateRequest{Copy: both}); err != nil {
		t.Fatal(err)
	}
	_ = stream.CloseSend()
	results, summary, streamErr := drain(stream)
	if streamErr != nil || len(results) != 1 || summary.GetNotSent() != 1 || !strings.Contains(results[0].GetError().String(), "copy.variables_json") {
		t.Errorf("%v, %v, %v", results, summary, streamErr)
	}
	rest := d.do(t, "POST", "/v1/integration/template:bulkCopy", `{"request_id":"b","template_id":"`+templateID+`","variables_json":"{}"}`)
	if rest.status != 200 || !strings.Contains(rest.body, `"loc":["body","variables_json"],"msg":"is a field of gRPC alone; variables takes every number"`) {
		t.Errorf("%d %s", rest.status, rest.body)
	}
	up.none(t)
	// As at Diga, an unknown key means nothing.
	up.will(respond(201, nil, full))
	wantREST(t, d.copyREST(t, templateID, `{"variables_json":"{\"a\":1}","name":"n"}`), 201, "", "")
	if got := up.one(t).body; got != `{"name":"n"}` {
		t.Errorf("Diga got %s", got)
	}
}

// violation returns the one mistake that an error names.
func violation(err *apierror.Error) string {
	if err == nil || err.Code != codes.InvalidArgument || err.Outcome.String() != "NOT_SENT" || len(err.Violations) != 1 {
		return fmt.Sprint(err)
	}
	v := err.Violations[0]
	return v.Field + " " + v.Reason + ": " + v.Description
}

// Whether a caller gives variables as a Struct, as JSON, or over REST, is no other
// request.
func TestVariablesJSON_SameValuesOnEveryWay_AreOneCopy(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(func(c net.Conn, r sent) bool {
		if strings.HasPrefix(r.line, "POST ") {
			return respond(201, nil, full)(c, r)
		}
		return respond(200, nil, full)(c, r)
	})
	d := start(t, up.url())
	rpc := func(id, variables string) *apierror.Error {
		_, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: id, VariablesJson: &variables})
		return err
	}
	rest := func(id, variables string) response {
		return d.copyREST(t, templateID, `{"variables":`+variables+`}`, "Idempotency-Key", id)
	}
	if _, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: "few", Variables: structOf("a", "b")}); err != nil {
		t.Fatal(err)
	}
	if err := rpc("few", `{ "\u0061":"b" }`); err != nil {
		t.Error(err)
	}
	wantREST(t, rest("few", `{"a":"b"}`), 201, "", "")
	wantREST(t, rest("many", manyDigits), 201, "", "")
	if err := rpc("many", `{"rate":1,"shop":1234567890123456789}`); err != nil {
		t.Error(err)
	}
	wantREST(t, rest("many", `{"rate":1,"shop":1234567890123456788}`), 422, "NOT_SENT", "")
	if err := rpc("many", `{"rate":1,"shop":"1234567890123456789"}`); violation(err) != "request_id REQUEST_ID_REUSED: was used for another request" {
		t.Error(err)
	}
	if n := posts(up); n != 2 {
		t.Errorf("%d copies, want 2", n)
	}
}

func TestBulk_VariablesOfManyDigits_ReachDigaAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url())
	stream := d.bulk(t.Context(), t)
	one := item(templateID, "grpc")
	one.Copy.VariablesJson = proto.String(manyDigits)
	if err := stream.Send(one); err != nil {
		t.Fatal(err)
	}
	_ = stream.CloseSend()
	if _, summary, err := drain(stream); err != nil || summary.GetDone() != 1 {
		t.Errorf("%v, %v", summary, err)
	}
	line := `{"request_id":"rest","template_id":"` + templateID + `","variables":` + manyDigits + `}`
	if rest := d.do(t, "POST", "/v1/integration/template:bulkCopy", line); !strings.Contains(rest.body, `"done":1`) {
		t.Errorf("%d %s", rest.status, rest.body)
	}
	var bodies []string
	for _, r := range up.received() {
		bodies = append(bodies, r.body)
	}
	if want := `{"variables":` + manyDigits + `}`; !slices.Equal(bodies, []string{want, want}) {
		t.Errorf("Diga got %q", bodies)
	}
}

// Diga's stand-in, as Diga, has integers of any length.
func TestCopyTemplate_IntegerOf19Digits_IsInTheIntegration(t *testing.T) {
	t.Parallel()
	_, url := emulated(t)
	d := start(t, url)
	list, err := d.rpc.ListTemplates(withToken(t.Context(), token), &integrationv1.ListTemplatesRequest{Language: proto.String("en")})
	if err != nil {
		t.Fatal(err)
	}
	var shop string // the template whose base URL has the placeholder
	for _, tmpl := range list.GetData() {
		if strings.HasPrefix(tmpl.GetTemplate().GetFields()["base_url"].GetStringValue(), "https://<<shop>>.") {
			shop = tmpl.GetId()
		}
	}
	copied, failed := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: shop, VariablesJson: proto.String(manyDigits)})
	if failed != nil || !strings.HasPrefix(copied.GetBaseUrl(), "https://1234567890123456789.") {
		t.Errorf("%v, %v", copied, failed)
	}
	if rest := d.copyREST(t, shop, `{"variables":`+manyDigits+`}`); rest.status != 201 || !strings.Contains(rest.body, `"base_url":"https://1234567890123456789.`) {
		t.Errorf("%d %s", rest.status, rest.body)
	}
}

func TestPreviewCopyTemplate_VariablesOfManyDigits_AreInsertedInFull(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	up.will(respond(200, nil, `{"id":"`+templateID+`","name":"t","language":"es","template":{"base_url":"https://<<shop>>/<<rate>>","n":1e400,"m":["<<list>>",12345678901234567890]}}`))
	const url = `https://1234567890123456789/1.0`
	resp, err := d.rpc.PreviewCopyTemplate(withToken(t.Context(), token), &integrationv1.PreviewCopyTemplateRequest{TemplateId: templateID, VariablesJson: proto.String(manyDigits)})
	if err != nil || resp.GetBaseUrl() != url {
		t.Errorf("%v, %v", resp, err)
	}
	rest := d.do(t, "POST", "/v1/integration/template/"+templateID+":previewCopy", `{"variables":`+manyDigits+`}`)
	if rest.status != 200 || !strings.Contains(rest.body, `"base_url":"`+url+`"`) {
		t.Errorf("%d %s", rest.status, rest.body)
	}
	// And the look that refuses a copy sees them.
	rest = d.copyREST(t, templateID, `{"variables":`+manyDigits+`}`, "Digate-Unresolved", "refuse")
	if rest.status != 422 || strings.Contains(rest.body, "shop") || !strings.Contains(rest.body, `["body","variables","list"]`) || posts(up) != 0 {
		t.Errorf("%d %s", rest.status, rest.body)
	}
}
