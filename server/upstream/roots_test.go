package upstream

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// Editors write a byte-order mark at the beginning of a file.
func TestRoots_ByteOrderMark_IsSkipped(t *testing.T) {
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, append([]byte("\ufeff"), block...), 0o600); err != nil {
		t.Fatal(err)
	}
	if roots, err := (&Settings{CAFile: path}).Roots(); err != nil || roots == nil {
		t.Errorf("got %v", err)
	}
}
