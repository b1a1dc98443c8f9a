package docs

import (
	"strings"
	"testing"

	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/test/rig"
)

// The commands of the page about TLS run in order.
func TestTLSPage_Commands_RunAsThePageSays(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "openssl", "curl"} {
		need.Program(t, program)
	}
	s := newShell(t)
	there := strings.NewReplacer("127.0.0.1:9443", rig.FreeAddr(t), "127.0.0.1:8443", rig.FreeAddr(t))
	ran := 0
	for _, b := range read(t, "docs/tls.md").blocks {
		if b.language != "sh" {
			t.Errorf("line %d: a block that is not run", b.line)
			continue
		}
		ran++
		if out, failed := s.run(t, there.Replace(b.text)); failed {
			t.Fatalf("line %d failed:\n%s\n%s", b.line, b.text, out)
		}
	}
	if ran != 4 {
		t.Errorf("%d blocks were run", ran)
	}
}
