package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

// poor is a document that has one route of the contract, and one route more.
const poor = `{"openapi": "3.1.0", "paths": {
	"/v1/integration/{id}": {"delete": {"responses": {"204": {}}, "parameters": [{"name": "id", "in": "path", "schema": {"type": "string", "format": "uuid"}}]}},
	"/v1/integration/new": {"get": {}}, "/v1/agent": {"get": {}}}}`

func TestContractDiff_ExitCode_IsThatOfTheGravestFinding(t *testing.T) {
	file := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(file, []byte(poor), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		args string
		code int
	}{
		{"", client.ExitFindings},
		{"--fail-on additive", client.ExitFindings},
		{"--fail-on never", client.ExitDone},
		{"--fail-on loud", client.ExitUsage},
		{"--url http://127.0.0.1:1/", client.ExitUsage},
	} {
		got := digate(t, append([]string{"contract", "diff", file}, strings.Fields(row.args)...)...)
		if got.Code != row.code {
			t.Errorf("%s: exit code %d, want %d: %+v", row.args, got.Code, row.code, got)
		}
		if row.code != client.ExitUsage && (!strings.Contains(got.Out, "breaking  CopyTemplate: the document has no route") ||
			!strings.Contains(got.Out, "cosmetic  DeleteIntegration path integration_id: ") ||
			!strings.Contains(got.Out, `"GET /v1/integration/new"`) || strings.Contains(got.Out, "/v1/agent")) {
			t.Errorf("%s: %s", row.args, got.Out)
		}
	}
}

func TestContractDiff_URL_IsReadWithoutACredential(t *testing.T) {
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	var credential string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		credential = r.Header.Get("Authorization")
		_, _ = io.WriteString(w, poor)
	}))
	t.Cleanup(srv.Close)
	got := digate(t, "contract", "diff", "--url", srv.URL, "--output", "json")
	var report struct {
		Count    map[string]int
		Findings []struct {
			Class, Change, Subject, Text string
			Places                       []struct{ Method, Route, Part, Field string }
		}
	}
	if err := json.Unmarshal([]byte(got.Out), &report); err != nil {
		t.Fatal(err)
	}
	if got.Code != client.ExitFindings || credential != "" || report.Count["breaking"] != len(report.Findings)-2 ||
		report.Count["cosmetic"] != 1 || report.Findings[0].Change != "route_gone" || report.Findings[0].Places[0].Method != "ListIntegrations" {
		t.Errorf("%d, credential %q, %+v", got.Code, credential, report)
	}
}

func TestContractDiff_DocumentThatCannotBeRead_IsAFailure(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"--url", srv.URL}, "the response is HTTP 404"},
		{[]string{filepath.Join(t.TempDir(), "missing.json")}, "no such file"},
		{[]string{os.DevNull}, "no OpenAPI document in JSON"},
	} {
		if got := digate(t, append([]string{"contract", "diff"}, row.args...)...); got.Code != client.ExitFailed || !strings.Contains(got.Err, row.want) {
			t.Errorf("%q: %+v", row.args, got)
		}
	}
}
