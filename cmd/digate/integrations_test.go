package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/emulator"
)

func TestUpdate_Flags_AreTheBodyThatTheUpstreamGets(t *testing.T) {
	addr, bodies := scripted(t, 200, `{"id":"x"}`)
	keyFile := clitest.WriteFile(t, "key", clitest.APIKey+"\n")
	for want, row := range map[string]struct {
		stdin string
		args  []string
	}{
		`{"name":"n"}`:                          {"", []string{"--name", "n"}},
		`{"name":""}`:                           {"", []string{"--name="}},
		`{"description":"a, b"}`:                {"", []string{"--description", "a, b"}},
		`{"base_url":"https://x"}`:              {"", []string{"--base-url", "https://x"}},
		`{"auth_key":"` + clitest.APIKey + `"}`: {"", []string{"--auth-key-file", keyFile}},
		`{"auth_key":"k"}`:                      {"k\n", []string{"--auth-key-file", "-"}},
		`{"headers":{"A":"","B":"1=2,3"}}`:      {"", []string{"--header", "B=1=2,3", "--header", "A="}},
		`{"name":null}`:                         {"", []string{"--clear", "name"}},
		`{"description":null,"auth_key":null,"headers":null}`: {"", []string{"--clear", "headers,auth_key", "--clear", "description,headers"}},
		`{"name":"n","description":null}`:                     {"", []string{"--clear", "description", "--name", "n"}},
	} {
		got := digateWith(t, row.stdin, append([]string{"integrations", "update", clitest.TemplateID, "--addr", addr}, row.args...)...)
		if got.Code != client.ExitDone {
			t.Errorf("%v: %+v", row.args, got)
			continue
		}
		clitest.CheckNoSecret(t, got)
		if body := <-bodies; body != want {
			t.Errorf("%v: sent %s, want %s", row.args, body, want)
		}
	}
}

func TestIntegrations_FromCopyToDelete(t *testing.T) {
	addr, e := stand(t)
	id := copied(t, addr, clitest.TemplateID, "--var", "shop=acme")
	got := digate(t, "integrations", "list", "--addr", addr)
	if got.Code != client.ExitDone || !strings.Contains(got.Out, id+"  Shopify: pedidos y productos  HTTP  API_KEY  missing  https://acme.") {
		t.Errorf("%+v", got)
	}
	if got = digate(t, "integrations", "list", "--addr", addr, "--type", "MCP"); strings.Contains(got.Out, id) {
		t.Errorf("%+v", got)
	}
	got = digateWith(t, clitest.APIKey, "integrations", "update", id, "--addr", addr, "--auth-key-file", "-", "--name", "Shop")
	if got.Code != client.ExitDone || !strings.Contains(got.Out, "requires_setup    no\n") || strings.Contains(got.Out, "missing") {
		t.Errorf("%+v", got)
	}
	clitest.CheckNoSecret(t, got)
	if in := e.Integrations(clitest.Token)[0]; in.Name != "Shop" || *in.AuthKey != clitest.APIKey {
		t.Errorf("%+v", in)
	}
	got = digate(t, "integrations", "get", id, "--addr", addr)
	if got.Code != client.ExitDone || !strings.Contains(got.Out, "name              Shop\n") {
		t.Errorf("%+v", got)
	}
	clitest.CheckNoSecret(t, got)
	if got = digate(t, "integrations", "get", id, "--addr", addr, "-o", "json"); !strings.Contains(got.Out, `"auth_key":"`+clitest.APIKey+`"`) {
		t.Errorf("%+v", got)
	}
	if got = digate(t, "integrations", "delete", id, "--addr", addr, "-y", "-o", "json"); got.Code != client.ExitDone || got.Out != "{}\n" {
		t.Errorf("%+v", got)
	}
	if got = digate(t, "integrations", "delete", id, "--addr", addr, "--yes"); got.Code != client.ExitRejected || !strings.Contains(got.Err, "NOT_FOUND") || got.Out != "" {
		t.Errorf("a second time: %+v", got)
	}
}

func TestDelete_NobodyToAsk_IsRefused(t *testing.T) {
	addr, e := stand(t)
	id := copied(t, addr, clitest.TemplateID)
	before := e.Requests()
	got := digateWith(t, "y\n", "integrations", "delete", id, "--addr", addr)
	if got.Code != client.ExitUsage || got.Out != "" || !strings.Contains(got.Err, "--yes") || e.Requests() != before {
		t.Errorf("%+v", got)
	}
}

func TestTools_ListAndApprove(t *testing.T) {
	addr, e := stand(t)
	id := copied(t, addr, clitest.TemplateID)
	got := digate(t, "tools", "list", id, "--addr", addr, "--order", "asc")
	for _, want := range []string{"APPROVAL", "  buscar_pedido       HTTP  no        GET     /orders.json", "  cancelar_pedido     HTTP  asks      POST    /orders/{order_id}/cancel.json  Cancela"} {
		if got.Code != client.ExitDone || !strings.Contains(got.Out, want) {
			t.Errorf("no %q in %+v", want, got)
		}
	}
	tools := listJSON(t, "tools", "list", id, "--addr", addr)
	first, second := tools.Data[0].ID, tools.Data[1].ID
	asks := func() (asking []string) {
		for _, x := range e.Integrations(clitest.Token)[0].Tools {
			if x.ApprovalRequired {
				asking = append(asking, x.ID)
			}
		}
		return asking
	}
	if got = digate(t, "tools", "approve", id, first, second, "--addr", addr); got.Code != client.ExitDone || strings.Count(got.Out, ": the agent asks first\n") != 2 {
		t.Errorf("%+v", got)
	}
	if n := len(asks()); n < 2 {
		t.Errorf("%d tools ask", n)
	}
	before := len(asks())
	if got = digate(t, "tools", "approve", id, first, "--no", "--addr", addr); got.Code != client.ExitDone || got.Out != "tool "+first+": the agent does not ask\n" || len(asks()) != before-1 {
		t.Errorf("%+v, %v", got, asks())
	}
	if got = digate(t, "tools", "approve", id, clitest.NoTemplate, "--addr", addr); got.Code != client.ExitRejected {
		t.Errorf("%+v", got)
	}
	github := copied(t, addr, "1d9b5c7f-0e62-4a84-b3f1-9c25d8e04a73")
	if got = digate(t, "tools", "list", github, "--addr", addr); !strings.Contains(got.Out, "MCP   no        -       -     Busca") {
		t.Errorf("%+v", got)
	}
}

func TestCopy_SetupMissing_NamesItAndTheCommandThatSuppliesIt(t *testing.T) {
	addr, e := stand(t)
	const twilio, notion, weather = "c4a7b9e2-6f38-4e15-8d0c-73f2a1b58e96", "8f1e6d0a-52c4-4d3b-9a57-1b6f0c9e2d41", "a96d3e51-8c04-4f7b-95d2-e0b71f4c6a28"
	update := "missing: %s -> " + term.Self() + " integrations update ID %s --addr " + addr
	for name, row := range map[string]struct {
		args  []string
		wants []string
		lines int
	}{
		"key and base URL": {[]string{clitest.TemplateID}, []string{
			fmt.Sprintf(update, "api key", "--auth-key-file FILE"),
			fmt.Sprintf(update, "<<shop>> in base_url", "--base-url URL"),
		}, 2},
		"key alone":      {[]string{clitest.TemplateID, "--var", "shop=acme"}, []string{fmt.Sprintf(update, "api key", "--auth-key-file FILE")}, 1},
		"base URL alone": {[]string{clitest.TemplateID, "--api-key-file", "-"}, []string{fmt.Sprintf(update, "<<shop>> in base_url", "--base-url URL")}, 1},
		"header": {[]string{notion, "--api-key-file", "-"}, []string{
			fmt.Sprintf(update, "<<notion_version>> in the header Notion-Version", "--header Accept --header Notion-Version") + " (replaces all headers)",
		}, 1},
		"tool paths and bodies": {[]string{twilio, "--api-key-file", "-"}, []string{
			"missing: <<account_sid>> in the tool enviar_sms, in estado_sms; <<sender>> in the tool enviar_sms -> " +
				term.Self() + " copy " + twilio + " --var account_sid=TEXT --var sender=TEXT --addr " + addr +
				" (a new copy; then " + term.Self() + " integrations delete ID --addr " + addr + ")",
		}, 1},
		"a tool's query": {[]string{weather, "--var", "latitude=" + clitest.VarSecret}, []string{"missing: <<longitude>> in the tool prevision -> "}, 1},
		"nothing":        {[]string{clitest.TemplateID, "--var", "shop=acme", "--api-key-file", "-"}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := digateWith(t, clitest.APIKey, append([]string{"copy", "--addr", addr}, row.args...)...)
			clitest.CheckNoSecret(t, got)
			if got.Code != client.ExitDone || got.Err != "" || strings.Count(got.Out, "\nmissing: ") != row.lines {
				t.Fatalf("%+v", got)
			}
			if guide := strings.Contains(got.Out, "\nsetup guide: https://"); guide != (row.lines > 0) {
				t.Errorf("a guide is named: %v", guide)
			}
			id := newest(t, e).ID
			for _, want := range row.wants {
				if !strings.Contains(got.Out, strings.ReplaceAll(want, " ID ", " "+id+" ")) {
					t.Errorf("no %q in:\n%s", want, got.Out)
				}
			}
		})
	}
}

// newest returns the integration that was made last.
func newest(t *testing.T, e *emulator.Emulator) emulator.Integration {
	t.Helper()
	list := e.Integrations(clitest.Token)
	if len(list) == 0 {
		t.Fatal("there is no integration")
	}
	return list[len(list)-1]
}

// alwaysThere are fields that every integration has.
const alwaysThere = `"name":"n","base_url":"https://n.example","integration_type":"HTTP","created_at":"2026-01-02T03:04:05Z"`

func TestCopy_SetupCannotBeLookedUp_IsStillASuccess(t *testing.T) {
	addr := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"status":"error","error_code":"GONE","message":"no \u001b[2J such thing"}`))
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":"` + clitest.NoTemplate + `",` + alwaysThere + `,"auth_type":"API_KEY","requires_setup":true,"source_integration_template_id":"` + clitest.TemplateID + `",` +
			`"headers":{"X-A":"` + clitest.VarSecret + `","it's":"` + clitest.VarSecret + ` <<a b>>"}}`))
	})
	got := digate(t, "copy", clitest.TemplateID, "--addr", addr)
	if got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	clitest.CheckNoSecret(t, got)
	for _, want := range []string{
		"missing: api key -> " + term.Self() + " integrations update " + clitest.NoTemplate + " --auth-key-file FILE --addr ",
		`missing: <<a b>> in the header it's -> ` + term.Self() + ` integrations update ` + clitest.NoTemplate + ` --header X-A --header 'it'\''s' --addr `,
	} {
		if !strings.Contains(got.Out, want) {
			t.Errorf("no %q in:\n%s", want, got.Out)
		}
	}
	if want := "digate: the tools, which may also have placeholders, could not be looked up: no  [2J such thing\n" +
		"digate: the template, which may name a setup guide, could not be looked up: no  [2J such thing\n"; got.Err != want {
		t.Errorf("%q", got.Err)
	}
}

// The command to paste has no place for a secret, which everybody on the machine would see.
func TestCopy_SetupLacksSecrets_TheCommandHasATerminalAskForThem(t *testing.T) {
	const tool = `{"type":"HTTP","id":"` + clitest.NoTemplate + `","name":"send","description":"d","endpoint_path":"/<<shop>>","method":"GET",` +
		`"headers":{"X-Tenant":"<<tenant>>"},"query":[{"name":"t","data_type":"string","value_source":"fixed","fixed_value":"<<api_token>>"}]}`
	addr := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"id":"` + clitest.NoTemplate + `",` + alwaysThere + `,"auth_type":"NONE","requires_setup":true,"source_integration_template_id":"` + clitest.TemplateID + `"}`))
		case strings.HasSuffix(r.URL.Path, "/tool"):
			_, _ = w.Write([]byte(`{"data":[` + tool + `],"has_more":false}`))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	got := digate(t, "copy", clitest.TemplateID, "--addr", addr)
	if want := " copy " + clitest.TemplateID + " --var api_token --var shop=TEXT --var tenant --addr " + addr; got.Code != client.ExitDone || !strings.Contains(got.Out, want) {
		t.Errorf("no %q in: %+v", want, got)
	}
}

func TestCopy_SetupMissingAndNothingFound_SaysSo(t *testing.T) {
	addr := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
		}
		_, _ = w.Write([]byte(`{"id":"` + clitest.NoTemplate + `",` + alwaysThere + `,"auth_type":"NONE","requires_setup":true,"data":[],"has_more":false}`))
	})
	got := digate(t, "copy", clitest.TemplateID, "--addr", addr)
	if got.Code != client.ExitDone || got.Err != "" || !strings.HasSuffix(got.Out, "\nmissing: something that Diga does not name\n") {
		t.Errorf("%+v", got)
	}
}
