package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/file"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
	"github.com/digate/digate/test/await"
)

// facade runs a digate in front of an upstream and returns its gRPC address.
func facade(t *testing.T, upstreamURL string) string {
	t.Helper()
	return facadeOf(t, upstreamURL, func(*config.Config) {}).GRPCAddr().String()
}

// facadeOf is facade with changed settings.
func facadeOf(t *testing.T, upstreamURL string, change func(*config.Config)) *server.Server {
	t.Helper()
	cfg := config.Defaults()
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Upstream.URL = upstreamURL
	change(&cfg)
	s, err := server.New(context.Background(), cfg, server.Options{Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server: %v", err)
		}
	})
	awaitServing(t, s.GRPCAddr().String())
	return s
}

// awaitServing waits for a server's first response.
func awaitServing(t *testing.T, addr string) {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), await.Patience)
	defer cancel()
	if _, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Fatal(err)
	}
}

// stand runs the emulator of Diga and a digate in front of it.
func stand(t *testing.T) (addr string, e *emulator.Emulator) {
	t.Helper()
	e = emulator.New(emulator.Options{Seed: 1})
	upstream := httptest.NewServer(e)
	t.Cleanup(upstream.Close)
	addr = facade(t, upstream.URL)
	t.Cleanup(e.Close)
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	return addr, e
}

// scripted runs an upstream that gives one response to everything and records the
// bodies it gets, and a digate in front of it.
func scripted(t *testing.T, status int, body string) (addr string, bodies chan string) {
	t.Helper()
	bodies = make(chan string, 16)
	return upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies <- string(b)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}), bodies
}

func TestCopy_EveryField_ReachesTheUpstream(t *testing.T) {
	addr, e := stand(t)
	got := digate(t, "copy", clitest.TemplateID, "--addr", addr, "--name", "Shop", "--base-url", "https://<<shop>>.example",
		"--api-key-file", clitest.WriteFile(t, "key", clitest.APIKey+"\n"), "--var", "shop=acme=1,2;3", "--request-id", "r-1")
	if got.Code != client.ExitDone || got.Err != "" {
		t.Fatalf("%+v", got)
	}
	clitest.CheckNoSecret(t, got)
	list := e.Integrations(clitest.Token)
	if len(list) != 1 {
		t.Fatalf("%d integrations", len(list))
	}
	in := list[0]
	if in.Name != "Shop" || in.BaseURL != "https://acme=1,2;3.example" || in.AuthKey == nil || *in.AuthKey != clitest.APIKey || in.RequiresSetup {
		t.Errorf("%+v", in)
	}
	for _, want := range []string{
		"id                " + in.ID + "\n",
		"name              Shop\n",
		"base_url          https://acme=1,2;3.example\n",
		"integration_type  HTTP\n",
		"auth_type         API_KEY\n",
		"auth_key          set\n",
		"requires_setup    no\n",
		"template          " + clitest.TemplateID + "\n",
		"created_at        20",
	} {
		if !strings.Contains(got.Out, want) {
			t.Errorf("no %q in:\n%s", want, got.Out)
		}
	}
}

func TestCopy_Flags_AreTheBodyThatTheUpstreamGets(t *testing.T) {
	addr, bodies := scripted(t, 201, `{"id":"x"}`)
	keyFile := clitest.WriteFile(t, "key", clitest.APIKey)
	for name, row := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"nothing":                {"", nil, `{}`},
		"empty name":             {"", []string{"--name", ""}, `{"name":""}`},
		"empty name with =":      {"", []string{"--name="}, `{"name":""}`},
		"name like a flag":       {"", []string{"--name=-o"}, `{"name":"-o"}`},
		"empty base URL":         {"", []string{"--base-url", ""}, `{"base_url":""}`},
		"key from a file":        {"", []string{"--api-key-file", keyFile}, `{"api_key":"` + clitest.APIKey + `"}`},
		"key from stdin":         {clitest.APIKey + "\r\n", []string{"--api-key-file", "-"}, `{"api_key":"` + clitest.APIKey + `"}`},
		"key with spaces":        {" k \n\n", []string{"--api-key-file=-"}, `{"api_key":" k "}`},
		"var":                    {"", []string{"--var", "a=1", "--var=b=true"}, `{"variables":{"a":"1","b":"true"}}`},
		"var empty":              {"", []string{"--var", "a="}, `{"variables":{"a":""}}`},
		"var with backslashes":   {"", []string{"--var", `a=\,\\;x`}, `{"variables":{"a":"\\,\\\\;x"}}`},
		"var with a placeholder": {"", []string{"--var", "a=${b}"}, `{"variables":{"a":"${b}"}}`},
		"JSON text":              {"", []string{"--var-json", `a="x"`}, `{"variables":{"a":"x"}}`},
		"JSON numbers":           {"", []string{"--var-json", `a=5`, "--var-json", `b=-1.5e3`}, `{"variables":{"a":5,"b":-1500}}`},
		"JSON largest integer":   {"", []string{"--var-json", `a=9007199254740992`}, `{"variables":{"a":9007199254740992}}`},
		"JSON larger integer":    {"", []string{"--var-json", ` a= 9007199254740993 `[1:]}, `{"variables":{"a":9007199254740993}}`},
		"JSON many digits":       {"", []string{"--var", `b="<`, "--var-json", `a={"x": [1234567890123456789,1.0]}`, "--var-json", "c=1.0", "--var-json", "\"d\\<\"=0.1234567890123456789"}, `{"variables":{"b":"\"<","a":{"x": [1234567890123456789,1.0]},"c":1,"\"d\\\u003c\"":0.1234567890123456789}}`},
		"JSON true, false, null": {"", []string{"--var-json", `a=true`, "--var-json", "b=false", "--var-json", "c=null"}, `{"variables":{"a":true,"b":false,"c":null}}`},
		"JSON list and object":   {"", []string{"--var-json", `a=[1,"x,y",{"b":[]}]`, "--var-json", `b={}`}, `{"variables":{"a":[1,"x,y",{"b":[]}],"b":{}}}`},
		"both kinds":             {"", []string{"--var", "a=1", "--var-json", "b=1"}, `{"variables":{"a":"1","b":1}}`},
		"request id stays here":  {"", []string{"--request-id", "r-1"}, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := digateWith(t, row.stdin, append([]string{"copy", clitest.TemplateID, "--addr", addr}, row.args...)...)
			if got.Code != client.ExitDone {
				t.Fatalf("%+v", got)
			}
			if body := <-bodies; body != row.want {
				t.Errorf("sent %s, want %s", body, row.want)
			}
		})
	}
}

func TestCopy_BadSecretFile_IsNamedAndNothingIsSent(t *testing.T) {
	addr, e := stand(t)
	for name, row := range map[string]struct{ content, want string }{
		"empty":     {"\n", "is empty"},
		"too large": {strings.Repeat("hunter2", file.MaxSecret), "is larger than 65536 bytes"},
		"not UTF-8": {"hunter2\xff", "is not UTF-8"},
	} {
		got := digateWith(t, row.content, "copy", clitest.TemplateID, "--addr", addr, "--api-key-file", "-")
		if got.Code != client.ExitFailed || got.Err != "digate: --api-key-file: "+row.want+"\n" {
			t.Errorf("%s: %+v", name, got)
		}
		got = digate(t, "copy", clitest.TemplateID, "--addr", addr, "--token-file", clitest.WriteFile(t, "token", row.content))
		if got.Code != client.ExitFailed || got.Err != "digate: --token-file: "+row.want+"\n" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	got := digate(t, "copy", clitest.TemplateID, "--addr", addr, "--api-key-file", "/nonexistent")
	if got.Code != client.ExitFailed || !strings.HasPrefix(got.Err, "digate: --api-key-file: open /nonexistent") {
		t.Errorf("%+v", got)
	}
	if n := e.Requests(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// secretive is a response with every field, and secrets where they can be.
const secretive = `{"id":"` + clitest.TemplateID + `","name":"n","base_url":"https://x","auth_type":"API_KEY","integration_type":"MCP",` +
	`"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z","description":null,"auth_key":"` + clitest.APIKey + `",` +
	`"headers":{"X-Key":"` + clitest.VarSecret + `","Accept":"*/*"},"requires_setup":true,"source_integration_template_id":null}`

func TestCopy_TextOutput_HidesSecretsAndJSONIsWhole(t *testing.T) {
	addr, _ := scripted(t, 201, secretive)
	got := digate(t, "copy", clitest.TemplateID, "--addr", addr)
	clitest.CheckNoSecret(t, got)
	for _, want := range []string{"auth_key          set\n", "headers           Accept, X-Key\n", "requires_setup    yes: ", "description       -\n", "template          -\n"} {
		if !strings.Contains(got.Out, want) {
			t.Errorf("no %q in:\n%s", want, got.Out)
		}
	}
	got = digate(t, "copy", clitest.TemplateID, "--addr", addr, "--output", "json")
	var in struct {
		AuthKey string            `json:"auth_key"`
		Type    string            `json:"integration_type"`
		Headers map[string]string `json:"headers"`
		Setup   bool              `json:"requires_setup"`
	}
	if err := json.Unmarshal([]byte(got.Out), &in); err != nil || strings.Count(got.Out, "\n") != 1 || got.Code != client.ExitDone {
		t.Fatalf("%v in %+v", err, got)
	}
	if in.AuthKey != clitest.APIKey || in.Type != "MCP" || in.Headers["X-Key"] != clitest.VarSecret || !in.Setup {
		t.Errorf("%+v", in)
	}
}

func TestCopy_PoorResponse_IsStillASuccess(t *testing.T) {
	addr, _ := scripted(t, 201, `{"id":"x"}`)
	got := digate(t, "copy", clitest.TemplateID, "--addr", addr)
	if got.Code != client.ExitDone || !strings.HasPrefix(got.Out, "id                x\nname              -\n") || strings.Contains(got.Out, "created_at") {
		t.Errorf("%+v", got)
	}
}

func TestCopy_ResponseCannotBeShown_SaysThatItWasCreated(t *testing.T) {
	addr, _ := scripted(t, 201, `{"id":"id-1"}`)
	for _, output := range []string{"text", "json"} {
		var stderr strings.Builder
		code := run(t.Context(), []string{"copy", clitest.TemplateID, "--addr", addr, "-o", output}, term.IO{In: strings.NewReader(""), Out: clitest.BrokenPipe{}, Err: &stderr})
		if code != client.ExitFailed || !strings.Contains(stderr.String(), "integration id-1 was created") {
			t.Errorf("exit code %d, %s", code, stderr.String())
		}
	}
}
