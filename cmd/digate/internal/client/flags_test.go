package client

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"

	"github.com/digate/digate/cmd/digate/internal/term"
)

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestToken_IsOneWordAndNeverQuoted(t *testing.T) {
	for value, fails := range map[string]string{
		"hunter2": "", " hunter2~ ": "", "": "no bearer token", "  ": "no bearer token",
		"hunter2 x": "DIGATE_TOKEN: a bearer token is one word", "hunter2\x7f": "one word of printable ASCII", "hunter2é": "one word",
	} {
		t.Setenv("DIGATE_TOKEN", value)
		_, err := Token(t.Context(), term.IO{}, "")
		if (err == nil) != (fails == "") || err != nil && (!strings.Contains(err.Error(), fails) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%q: got %v", value, err)
		}
	}
	t.Setenv("DIGATE_TOKEN", "hunter2")
	if _, err := Token(t.Context(), term.IO{}, writeFile(t, "hunter2 x")); err == nil || !strings.HasPrefix(err.Error(), "--token-file: ") {
		t.Errorf("a file goes before the environment: got %v", err)
	}
}

func TestCredentials_FileWithoutACertificate_IsRefused(t *testing.T) {
	t.Parallel()
	f := Flags{CAFile: writeFile(t, "nothing")}
	if _, err := f.Credentials(); err == nil || !strings.HasPrefix(err.Error(), "--ca-file: there is no certificate in ") {
		t.Errorf("got %v", err)
	}
	for protocol, f := range map[string]Flags{"insecure": {}, "tls": {TLS: true}} {
		if creds, err := f.Credentials(); err != nil || creds.Info().SecurityProtocol != protocol {
			t.Errorf("%s: got %v, %v", protocol, creds, err)
		}
	}
}

func TestSetVariable_ValuesOfBothKinds_AreOneObject(t *testing.T) {
	t.Parallel()
	req := new(integrationv1.CopyTemplateRequest)
	set := func(name, text string) {
		t.Helper()
		v, err := JSONVariable(text)
		if err != nil || HasVariable(req, name) {
			t.Fatal(err)
		}
		if err := SetVariable(req, name, v); err != nil || !HasVariable(req, name) {
			t.Fatal(err)
		}
	}
	set("a", "1")
	set("b", "null")
	if req.VariablesJson != nil || len(req.GetVariables().GetFields()) != 2 {
		t.Errorf("%v", req)
	}
	set("c", " 12345678901234567890 ")
	set("d", `{"x":1}`)
	set("e", `[1e400]`)
	if got := req.GetVariablesJson(); got != `{"a":1,"b":null,"c":12345678901234567890,"d":{"x":1},"e":[1e400]}` || req.Variables != nil {
		t.Errorf("%v", req)
	}
	req = &integrationv1.CopyTemplateRequest{VariablesJson: new(" { } ")}
	set("a", "1")
	if got := req.GetVariablesJson(); got != `{"a":1}` {
		t.Errorf("%v", req)
	}
}

func TestCallFlags_Timeout_MustBeMoreThan0(t *testing.T) {
	t.Parallel()
	for timeout, ok := range map[time.Duration]bool{-1: false, 0: false, 1: true} {
		f := CallFlags{Flags: Flags{Timeout: timeout}}
		if err := f.Validate(); (err == nil) != ok {
			t.Errorf("%v: got %v", timeout, err)
		}
	}
}

func TestJSONVariable_IsOneValueAndNeverQuoted(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		`"hunter2"`: true, `{"a":[1,null]}`: true,
		``: false, `hunter2`: false, `"hunter2"}},"name":"x","y":{"v":{"z":1`: false, `1 2`: false, `{"hunter2":1,"hunter2":2}`: false, `9007199254740993`: true, `1e400`: true,
	} {
		if _, err := JSONVariable(text); (err == nil) != ok || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
