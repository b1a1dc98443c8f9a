package main

import (
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
)

// place is a running server in the screens: its address there, and the real one.
type place struct{ shown, real string }

// session runs command lines as a person types them, and returns what a terminal
// shows. Words are separated by blanks. An address in a line is that of the screens.
func session(t *testing.T, lines []string, places ...place) string {
	t.Helper()
	there, back := translators(places)
	var seen strings.Builder
	for _, line := range lines {
		got := digate(t, strings.Fields(there.Replace(line))...)
		clitest.CheckNoSecret(t, got)
		seen.WriteString("$ digate " + line + "\n" + withoutDefault(back.Replace(got.Out+got.Err)))
	}
	return seen.String()
}

// translators translate from what is typed in the screens to what is real, and back.
func translators(places []place) (there, back *strings.Replacer) {
	var to []string
	from := []string{term.Self(), "digate"}
	for _, p := range places {
		to = append(to, p.shown, p.real)
		from = append(from, p.real, p.shown)
	}
	return strings.NewReplacer(to...), strings.NewReplacer(from...)
}

// withoutDefault removes what commands that are shown would not say at the default
// address.
func withoutDefault(seen string) string {
	return strings.ReplaceAll(seen, " --addr "+client.DefaultAddr, "")
}

func TestScreens_NoArguments_SayWhatToDoFirst(t *testing.T) {
	t.Parallel()
	got := digate(t)
	if got.Code != client.ExitUsage || got.Err != "" || !strings.Contains(got.Out, term.Self()+" dev") {
		t.Errorf("%+v", got)
	}
	for _, columns := range []int{40, 80, 200} {
		var b strings.Builder
		begin(&b, "digate", columns)
		for line := range strings.Lines(b.String()) {
			if n := term.Width(strings.TrimSuffix(line, "\n")); n > columns {
				t.Errorf("%d columns: a line of %d: %s", columns, n, line)
			}
		}
		if columns == 80 {
			clitest.Screen(t, "begin", b.String())
		}
	}
}

func TestScreens_Usage(t *testing.T) {
	t.Parallel()
	const id = clitest.TemplateID
	clitest.Screen(t, "usage-arguments", session(t, []string{
		"copy", "copy " + id + " " + id, "integrations get", "tools approve " + id, "ledger show",
	}))
	clitest.Screen(t, "usage-commands", session(t, []string{"srve", "tools", "tools show", "completion csh"}))
	clitest.Screen(t, "usage-flags", session(t, []string{
		"serve --grpc-adr :1", "serve --max-streams -1", "dev --latency 5", "serve --log-level loud",
		"serve --upstream-http2=maybe", "serve --log-level", "copy " + id + " -o xml", "copy " + id + " --ca-file /none",
	}))
	clitest.Screen(t, "usage-meant", session(t, []string{
		"copy " + id + " --adr :1", "serve --adr :1", "copy " + id + " --token x", "doctor --url x", "dev --port 1", "serve -x",
	}))
	clitest.Screen(t, "usage-meant-commands", session(t, []string{
		"template list", "templates lst", "get " + id, "help cpy", "-v",
	}))
	clitest.Screen(t, "usage-settings", session(t, []string{
		"serve --grpc-addr 9090 --upstream-url api.diga.io --max-request-bytes 1", "serve --upstream-retry-budget much",
	}))
}

func TestScreens_AddressToListenOn(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	const free = " --http-addr 127.0.0.1:0 --admin-addr 127.0.0.1:0"
	clitest.Screen(t, "listen", session(t, []string{
		"serve --grpc-addr 127.0.0.1:9999" + free, "dev --emulator-addr 127.0.0.1:9999", "emulator --emulator-addr 127.0.0.1:9999",
		"serve --grpc-addr 127.0.0.2:99999" + free, "serve --grpc-addr 192.0.2.1:1" + free, "emulator --emulator-addr here",
	}, place{"127.0.0.1:9999", ln.Addr().String()}))
}

// Each of these is a mistake of the first ten minutes.
func TestScreens_AddressOfSomethingElse_SaysWhatIsThere(t *testing.T) {
	d := launchDev(t)
	_, certificate := clitest.Certificate(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	places := []place{
		{"127.0.0.1:9090", d.match(t, `gRPC +(\S+)`)},
		{"127.0.0.1:8080", d.match(t, `REST +http://(\S+)`)},
		{"127.0.0.1:9091", d.match(t, `admin +http://(\S+)`)},
		{"ca.pem", certificate},
	}
	clitest.Screen(t, "address-of-rest", session(t, []string{
		"templates list --addr 127.0.0.1:8080",
		"copy " + clitest.TemplateID + " --addr 127.0.0.1:8080",
		"templates list --addr 127.0.0.1:9091",
	}, places...))
	clitest.Screen(t, "address-mistyped", session(t, []string{
		"templates list --addr http://127.0.0.1:9090",
		"templates list --addr https://digate.example",
		"templates list --addr 127.0.0.1",
	}, places...))
	clitest.Screen(t, "address-of-nothing", session(t, []string{
		"templates list --addr 127.0.0.1:1",
		"templates list --addr 127.0.0.1:9090 --ca-file ca.pem",
	}, places...))
}

func TestScreens_DigateWithTLS_SaysHowToReachIt(t *testing.T) {
	certificate, _ := clitest.Certificate(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	addr := serveRecorder(t, new(recorder), grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	clitest.Screen(t, "address-with-tls", session(t, []string{
		"templates list --addr 127.0.0.1:9090", "templates list --addr 127.0.0.1:9090 --tls",
	}, place{"127.0.0.1:9090", addr}))
}

func TestScreens_CopyInDoubt_NamesTheCommandToLookWith(t *testing.T) {
	addr, _ := stand(t)
	t.Setenv("DIGATE_ADDR", addr)
	doubt := fault(t, "internal-error")
	clitest.Screen(t, "copy-in-doubt", session(t, []string{
		"copy " + doubt, "copy " + doubt + " --request-id shop-1", "copy " + doubt + " --request-id shop-1",
	}, place{client.DefaultAddr, addr}))
	hangs := fault(t, "hang")
	clitest.Screen(t, "copy-late", session(t, []string{
		"copy " + hangs + " --timeout 300ms", "copy " + clitest.NoTemplate, "copy shopify",
	}, place{client.DefaultAddr, addr}))
}

func TestScreens_ChangeInDoubt_NamesTheCommandToLookWith(t *testing.T) {
	addr := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	t.Setenv("DIGATE_ADDR", addr)
	const id = "83dbdaea-d47f-4d79-a2b5-b013d3eff6ca"
	clitest.Screen(t, "change-in-doubt", session(t, []string{
		"integrations update " + id + " --name north", "integrations delete " + id + " --yes", "tools approve " + id + " " + id,
	}, place{client.DefaultAddr, addr}))
}

var anyTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`)

// A table of dashes would look as if the integration were empty.
func TestScreens_ResponseThatIsNotWhole_SaysWhatIsMissing(t *testing.T) {
	for screen, name := range map[string]string{"copy-not-whole": "truncated", "copy-lacking": "poor"} {
		addr, _ := stand(t)
		t.Setenv("DIGATE_ADDR", addr)
		seen := session(t, []string{"copy " + fault(t, name)}, place{client.DefaultAddr, addr})
		clitest.Screen(t, screen, anyTime.ReplaceAllString(seen, "2026-11-29T12:00:00Z"))
	}
}

func TestScreens_LargeResponse_SaysWhatDigateLeftOut(t *testing.T) {
	description := strings.Repeat("d", 5<<20)
	addr := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":"83dbdaea-d47f-4d79-a2b5-b013d3eff6ca","name":"north","base_url":"https://north.example","auth_type":"NONE",` +
			`"integration_type":"HTTP","created_at":"2026-11-29T12:00:00Z","updated_at":"2026-11-29T12:00:00Z","headers":{},"requires_setup":false,` +
			`"description":"` + description + `"}`))
	})
	t.Setenv("DIGATE_ADDR", addr)
	clitest.Screen(t, "copy-too-large", session(t, []string{"copy " + clitest.TemplateID}, place{client.DefaultAddr, addr}))
}
