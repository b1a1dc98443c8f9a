package docs

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/internal/need"
)

// The file and the commands of the page about accounts are used in order, with a folder
// and an address of their own.
func TestAccountsPage_Commands_RunAsThePageSays(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "openssl"} {
		need.Program(t, program)
	}
	s := newShell(t)
	addr := freeAddr(t)
	there := strings.NewReplacer(
		"/etc/digate", filepath.Join(t.TempDir(), "etc"), "127.0.0.1:9090", addr,
		"digate serve --accounts", "digate serve --http-addr 127.0.0.1:0 --admin-addr 127.0.0.1:0 --grpc-addr "+addr+" --accounts")
	ran := 0
	for _, b := range read(t, "docs/accounts.md").blocks {
		b.text = there.Replace(b.text)
		switch {
		case strings.Contains(b.before, "are yours"):
		case b.language == "yaml":
			s.write(t, fileName.FindStringSubmatch(b.before)[1], b.text)
			ran++
		case b.language == "sh":
			if out, failed := s.run(t, b.text); failed {
				t.Fatalf("line %d failed:\n%s\n%s", b.line, b.text, out)
			}
			ran++
		case b.language == "console":
			for _, step := range steps(t, b) {
				if out, _ := s.run(t, step.command); !step.expects(out) {
					t.Errorf("line %d: $ %s\nprinted\n%s\nand the page has\n%s", b.line, step.command, out, step.output)
				}
			}
			ran++
		default:
			t.Errorf("line %d: a block that is not run", b.line)
		}
	}
	if ran < 7 {
		t.Errorf("only %d blocks were run", ran)
	}
	_, _ = s.run(t, "kill %1")
}

// freeAddr returns an address of loopback on which nothing listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}
