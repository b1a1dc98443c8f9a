package server_test

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/clientcontract"
)

// Whoever can reach the REST listener can read what to generate code from: the files of
// the repository's folder client.
func TestClientContract_FilesWithoutCredential_AreThoseOfTheRepository(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1")
	listed := d.do(t, "GET", clientcontract.Path, "", "Authorization", "")
	paths := strings.Fields(listed.body)
	if listed.status != 200 || len(paths) < 11 || paths[0] != clientcontract.PathArchive {
		t.Fatalf("%d %v", listed.status, paths)
	}
	var names []string
	for _, path := range paths[1:] {
		name := strings.TrimPrefix(path, clientcontract.Path)
		names = append(names, name)
		kind := "text/plain; charset=utf-8"
		if name == "contract.binpb" {
			kind = "application/protobuf"
		}
		want, err := os.ReadFile(filepath.Join("..", "client", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		got := d.do(t, "GET", path, "", "Authorization", "", "Accept-Encoding", "identity")
		etag := got.header.Get("ETag")
		if got.status != 200 || got.body != string(want) || got.header.Get("Content-Type") != kind || etag == "" {
			t.Errorf("%s: %d %v, %d bytes; want %d", path, got.status, got.header, len(got.body), len(want))
		}
		if again := d.do(t, "GET", path, "", "Authorization", "", "Accept-Encoding", "identity", "If-None-Match", etag); again.status != 304 {
			t.Errorf("%s with its ETag: %d", path, again.status)
		}
	}
	packed := d.do(t, "GET", clientcontract.PathArchive, "", "Authorization", "", "Accept-Encoding", "identity")
	archive := tar.NewReader(strings.NewReader(packed.body))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("..", "client", filepath.FromSlash(header.Name)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(archive); err != nil || string(got) != string(want) || len(names) == 0 || header.Name != names[0] {
			t.Fatalf("the archive has %s: %v; want %v", header.Name, err, names)
		}
		names = names[1:]
	}
	if len(names) > 0 || packed.header.Get("Content-Type") != "application/x-tar" {
		t.Errorf("the archive lacks %v: %v", names, packed.header)
	}
	for _, verb := range []string{"POST", "DELETE"} {
		wantREST(t, d.do(t, verb, paths[1], "", "Authorization", ""), 405, "NOT_SENT", apierror.ReasonMethodNotAllowed)
	}
	if !slices.Contains(paths, "/contract/proto/diga/integration/v1/integration_service.proto") {
		t.Errorf("the contract has only %v", paths)
	}
}
