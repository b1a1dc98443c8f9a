package upstream

import (
	"encoding/json"
	"net"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract/contracttest"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/secret"
)

// Variables as JSON are as secret as any, each of the values in them.
func TestSecretsOf_VariablesAsJSON_AreTheirStringsAndNumbers(t *testing.T) {
	t.Parallel()
	req := &integrationv1.CopyTemplateRequest{VariablesJson: new(`{"user-name":"variable-1","n":[12345678901234567890,{"x":"a\u002fvalue"},1234.50,true,"abc"]}`)}
	shown := redactor(token, req)(`user-name variable-1 12345678901234567890 12345678901234567000 a/value 1234.50 1234.5 true abc`)
	if r := secret.Redacted; shown != "user-name "+r+" "+r+" 12345678901234567000 "+r+" "+r+" "+r+" true abc" {
		t.Error(shown)
	}
	if shown := redactor(token, req)("it is " + req.GetVariablesJson()); shown != "it is "+secret.Redacted {
		t.Error(shown)
	}
}

func TestCall_DigaEchoesSecrets_TheyAreRedacted(t *testing.T) {
	variables, err := structpb.NewStruct(map[string]any{
		"user": "variable-1", "nested": map[string]any{"list": []any{"variable-2", 98765.0, true, "abc"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{token, "api-key-1", "variable-1", "variable-2", "98765"}
	text := strings.Join(secrets, ", ") + " of user CRM is true, not abc"
	for name, body := range map[string]string{
		"envelope": `{"status":"error","error_code":"BAD_PARAMETER","message":"` + text + `"}`,
		"detail":   `{"detail":[{"loc":["body","variables","variable-1"],"msg":"` + text + `","type":"value_error","input":"` + text + `"}]}`,
		"string":   `{"detail":"` + text + `"}`,
	} {
		v := newUpstream(t, nil, func(c net.Conn, _ string) bool {
			_, _ = c.Write([]byte("HTTP/1.1 422 Unprocessable Entity\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body))
			return true
		})
		r := copyWith(t.Context(), newClient(t, v.url()), &integrationv1.CopyTemplateRequest{
			TemplateId: templateID, Name: new("CRM"), ApiKey: new("api-key-1"), Variables: variables,
		})
		if r.err == nil {
			t.Fatal("no failure")
		}
		shown := prototext.Format(status.Convert(r.err).Proto()) + r.err.Message + strings.Join(texts(r.ex.Drift), "") + r.ex.Cause
		for _, v := range r.err.Violations {
			shown += v.Field + v.Description
		}
		for _, s := range secrets {
			if strings.Contains(shown, s) {
				t.Errorf("%s: %q shows in %s", name, s, shown)
			}
		}
		if !strings.Contains(r.err.Message, secret.Redacted+" of user CRM is true, not abc") {
			t.Errorf("%s: message %q", name, r.err.Message)
		}
		if string(r.ex.Body) != body || !r.ex.Relay {
			t.Errorf("%s: the body is not Diga's own", name)
		}
	}
}

// Names from Diga are shown as they are, however the JSON escapes them,
// without odd bytes and cut.
func TestCall_DigaNamesFieldsAfterSecrets_TheNamesAreRedacted(t *testing.T) {
	long := "eyJ0" + strings.Repeat("c2VjcmV0", 20)
	for _, apiKey := range []string{"api-key-1", "api.key:1/2+3=", `api"key\é`, long} {
		quoted, err := json.Marshal(apiKey)
		if err != nil {
			t.Fatal(err)
		}
		inner := string(quoted[1 : len(quoted)-1])
		odd := strings.NewReplacer("/", `\/`, "+", `\u002b`, "é", `\u00e9`, "1", `\u0031`).Replace(inner)
		response := `{"` + odd + `":1,"of_` + inner + `":1,"` + token + `_of":1,"plain_name":1,` + wholeResponse[1:]
		v := newUpstream(t, nil, responding(ok201("", response)))
		r := copyWith(t.Context(), newClient(t, v.url()), &integrationv1.CopyTemplateRequest{TemplateId: templateID, ApiKey: &apiKey})
		r.want(t, "", exchange.Done, 201, 1, "")
		shown := strings.Join(texts(r.ex.Drift), "\n")
		for _, part := range []string{"api", "key", "eyJ0", token} {
			if strings.Contains(shown, part) {
				t.Errorf("%q: %q shows in %s", apiKey, part, shown)
			}
		}
		if !strings.Contains(shown, "plain_name: ") || !strings.Contains(shown, "of_"+secret.Redacted+": ") || !strings.Contains(shown, secret.Redacted+"_of: ") {
			t.Errorf("%q: %s", apiKey, shown)
		}
	}
}

func TestCall_StrictAndDigaNamesAFieldAfterTheCredential_TheErrorIsRedacted(t *testing.T) {
	v := newUpstream(t, nil, responding(reply(200, "", `{"`+token+`":1,`+wholeResponse[1:])))
	_, err := getIntegration(t.Context(), newClient(t, v.url(), func(c *Config) { c.Drift = DriftFail }))
	if said := apierror.FromError(err).Message; strings.Contains(said, token) || !strings.Contains(said, secret.Redacted) {
		t.Error(said)
	}
}

// What was created is there, however Diga says so.
func TestCall_StrictAndTheResponseToAWriteDeparts_IsDone(t *testing.T) {
	v := newUpstream(t, nil, responding(reply(201, "", `{"new_field":1,`+wholeResponse[1:])))
	r := copyOne(t.Context(), newClient(t, v.url(), func(c *Config) { c.Drift = DriftFail }))
	r.want(t, "", exchange.Done, 201, 1, "")
	if len(r.ex.Drift) == 0 {
		t.Error("the response does not depart from the contract, and proves nothing")
	}
}

func TestRedactor_SecretsBelowUnmarkedFields_AreFound(t *testing.T) {
	sd := contracttest.Service(t, contracttest.Method("Full", "Empty", `put: "/a" body: "*"`))
	req := dynamicpb.NewMessage(sd.Methods().Get(0).Input())
	if err := prototext.Unmarshal([]byte(`id: "not-secret" inner { id: "not-secret-either" key: "very-secret" }`), req); err != nil {
		t.Fatal(err)
	}
	got := redactor("tok", req)("not-secret not-secret-either very-secret tok")
	if want := "not-secret not-secret-either " + secret.Redacted + " tok"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRedactor_SecretWithinASecret_LeavesNoRest(t *testing.T) {
	req := &integrationv1.CopyTemplateRequest{ApiKey: new("key-and-more")}
	if got := redactor("key-", req)("<key-and-more> <key->"); got != "<"+secret.Redacted+"> <"+secret.Redacted+">" {
		t.Errorf("got %q", got)
	}
}
