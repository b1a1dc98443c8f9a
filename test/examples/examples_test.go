package examples

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// printed is what every client prints.
const printed = `copied: my shop
no such template: REJECTED
bad template id: NOT_SENT template_id
no response in time: UNKNOWN
copied twice with one request id: one integration
copied after a 503: late
response lost: UNKNOWN
template: Shopify: pedidos y productos
one of the bulk copies: REJECTED
bulk: 2 of 3 done
streamed: 3 templates
rate limit: REJECTED, again in 2 s
`

// calls are those that every client makes, by their methods.
var calls = map[string]int{
	// Four fail once, one has no request id, one is repeated under its id; two are repeated
	// by copy_once, after a 503 and after a lost response; one is refused at last.
	"CopyTemplate":     11,
	"GetTemplate":      3, // the service config, or the client, repeats it twice
	"BulkCopyTemplate": 1,
	"StreamTemplates":  1,
}

// requests are those that reach Diga, by a query of the stand-in's journal.
var requests = map[string]int{
	"operation=get_template": 3,
	"operation=copy_template&template_id=00000000-0000-4000-8000-000000000603": 1, // in doubt, so never sent again
	"operation=copy_template&template_id=00000000-0000-4000-8000-000000000608": 2, // refused once
	"operation=copy_template&name=once":                                        1,
}

func TestExamples_PrintAndCall_WhatTheirReadersExpect(t *testing.T) {
	if !*run {
		t.Skip("make examples runs it")
	}
	for _, c := range chosen(t) {
		t.Run(c.dir, func(t *testing.T) {
			command := c.prepare(t)
			t.Run("token", func(t *testing.T) { c.test(t, command, newDigate(t)) })
			t.Run("certificate and account", func(t *testing.T) { c.test(t, command, newSecured(t)) })
		})
	}
}

// test runs the client and compares what it prints, and what it calls, with what every
// client does.
func (c client) test(t *testing.T, command string, d *digate) {
	t.Helper()
	out, err := c.shell(t, running, command, d.environment)
	if err != nil {
		t.Errorf("%s: %v", command, err)
	}
	if out != printed {
		t.Errorf("it printed\n%s\nand not\n%s", out, printed)
	}
	for method, want := range calls {
		if got := d.calls(t, method, c.protocol); got != want {
			t.Errorf("%d calls of %s over %s, not %d", got, method, c.protocol, want)
		}
	}
	for query, want := range requests {
		if got := d.requests(t, query); got != want {
			t.Errorf("%d requests to Diga with %s, not %d", got, query, want)
		}
	}
}

func TestClients_EveryDirectoryWithAREADME_IsOne(t *testing.T) {
	pages, err := filepath.Glob(client{dir: "*"}.path() + "/README.md")
	must(t, err)
	for _, page := range pages {
		dir := filepath.Base(filepath.Dir(page))
		if !slices.ContainsFunc(clients, func(c client) bool { return c.dir == dir }) {
			t.Errorf("examples/%s has no row in the table of clients", dir)
		}
	}
}

// An address of a registry would be that of the machine that wrote the file.
func TestLockFiles_RecordNoAddress(t *testing.T) {
	checked := 0
	for _, pattern := range []string{"examples/*", "test/*", "test/*/*"} {
		files, err := filepath.Glob(filepath.Join("..", "..", pattern, "package-lock.json"))
		must(t, err)
		for _, file := range files {
			checked++
			text, err := os.ReadFile(file)
			must(t, err)
			if bytes.Contains(text, []byte(`"resolved"`)) {
				t.Errorf("%s records where packages were fetched: npm config set omit-lockfile-registry-resolved true", file)
			}
		}
	}
	if checked < 4 {
		t.Errorf("only %d lock files were found", checked)
	}
}
