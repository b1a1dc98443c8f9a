package main

import (
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

func TestCopy_DryRun_ShowsTheCopyAndCreatesNothing(t *testing.T) {
	const english = "b05c7a92-3e1f-4d68-a7c9-6d84f12e50b3"
	addr, e := stand(t)
	got := digate(t, "copy", english, "--dry-run", "--addr", addr, "--name", "mine", "--var", "shopp=x")
	const want = `template          b05c7a92-3e1f-4d68-a7c9-6d84f12e50b3
name              mine
base_url          https://<<shop>>.myshopify.com/admin/api/2026-07
integration_type  HTTP
auth_type         API_KEY
api_key           missing
headers           Accept
tools             find_order
requires_setup    yes: a key or a placeholder's value is missing
setup_guide_url   https://shopify.dev/docs/api/admin-rest

PLACEHOLDER  VALUE    WHERE
shop         missing  base_url

the variable shopp is not used; did you mean shop?
not documented by Diga: that a placeholder without a value stays as it is
nothing was created
`
	if got.Code != client.ExitDone || got.Out != want || got.Err != "" {
		t.Errorf("%+v", got)
	}
	got = digateWith(t, "hunter2", "copy", english, "--dry-run", "--addr", addr, "--var", "shop=north", "--api-key-file", "-")
	for _, line := range []string{"base_url          https://north.myshopify.com/admin/api/2026-07\n", "api_key           given\n", "requires_setup    no\n", "shop         given  base_url\n\nnothing was created\n"} {
		if !strings.Contains(got.Out, line) {
			t.Errorf("no %q in\n%s", line, got.Out)
		}
	}
	clitest.CheckNoSecret(t, got)
	got = digate(t, "copy", english, "--dry-run", "--addr", addr, "--var-json", "shop=1234567890123456789")
	if got.Code != client.ExitDone || !strings.Contains(got.Out, "https://1234567890123456789.myshopify.com/") {
		t.Errorf("%+v", got)
	}
	got = digate(t, "copy", english, "--dry-run", "--addr", addr, "-o", "json")
	if !strings.Contains(got.Out, `"placeholders":[{"name":"shop","path":"base_url","state":"MISSING"}]`) {
		t.Errorf("%+v", got)
	}
	if got := digate(t, "copy", clitest.NoTemplate, "--dry-run", "--addr", addr); got.Code != client.ExitRejected {
		t.Errorf("%+v", got)
	}
	if n := len(e.Integrations(clitest.Token)); n != 0 {
		t.Errorf("%d integrations", n)
	}
}

func TestCopy_UnresolvedRefuse_NamesThePlaceholdersAndCreatesNothing(t *testing.T) {
	addr, e := stand(t)
	got := digate(t, "copy", clitest.TemplateID, "--unresolved", "refuse", "--addr", addr)
	if got.Code != client.ExitNotSent || !strings.Contains(got.Err, "variables.shop: has no value, and is needed in base_url") || len(e.Integrations(clitest.Token)) != 0 {
		t.Errorf("%+v", got)
	}
	if got := digate(t, "copy", clitest.TemplateID, "--unresolved", "allow", "--addr", addr); got.Code != client.ExitDone {
		t.Errorf("%+v", got)
	}
}

func TestBulk_DryRunAndRefusal_NameWhatEachRowLacks(t *testing.T) {
	addr, e := stand(t)
	rows := clitest.WriteFile(t, "rows.csv", "template_id,name,var.shop,var.shopp,api_key\n"+
		clitest.TemplateID+",a,north,,k\n"+clitest.TemplateID+",b,,north,k\n"+clitest.NoTemplate+",c,,,\n"+clitest.TemplateID+",d,north,,\n")
	const lines = `line 3: <<shop>> in base_url has no value
line 3: the variable shopp is not used; did you mean shop?
line 4: there is no template ` + clitest.NoTemplate + `
line 5: the api_key is missing
4 rows, none malformed, 1 without a template, 2 would need setup; nothing was sent
`
	got := digate(t, "bulk", rows, "--addr", addr, "--dry-run")
	if got.Code != client.ExitRejected || got.Out != lines {
		t.Errorf("%+v", got)
	}
	if n := len(e.Integrations(clitest.Token)); n != 0 {
		t.Fatalf("%d integrations", n)
	}
	got = digate(t, "bulk", rows, "--addr", addr, "--unresolved", "refuse", "--unfinished", "allow", "--keep-going", "--results", "-", "--results-format", "csv")
	if got.Code != client.ExitRejected || !strings.Contains(got.Err, "4 rows in") || len(e.Integrations(clitest.Token)) != 2 || !strings.Contains(got.Out, "variables.shop has no value") && !strings.Contains(got.Out, "needed in base_url") {
		t.Errorf("%+v, %d integrations", got, len(e.Integrations(clitest.Token)))
	}
	// The same rows with allow go on where they were refused.
	if got := digate(t, "bulk", rows, "--addr", addr, "--unresolved", "allow", "--unfinished", "allow", "--keep-going", "--results", "-"); got.Code != client.ExitRejected || len(e.Integrations(clitest.Token)) != 3 {
		t.Errorf("%+v, %d integrations", got, len(e.Integrations(clitest.Token)))
	}
}

func TestTemplatesGet_CSV_IsTheHeaderOfABulkFile(t *testing.T) {
	addr, _ := stand(t)
	got := digate(t, "templates", "get", clitest.TemplateID, "--csv", "--addr", addr)
	if got.Code != client.ExitDone || got.Out != "template_id,name,base_url,api_key_env,var.shop\n" {
		t.Errorf("%+v", got)
	}
	rows := clitest.WriteFile(t, "rows.csv", got.Out+clitest.TemplateID+",a,,,north\n")
	if got := digate(t, "bulk", rows, "--addr", addr, "--unfinished", "allow"); got.Code != client.ExitDone {
		t.Errorf("%+v", got)
	}
}
