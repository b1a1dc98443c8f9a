package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// A caller who unpacks the archive has what client/ has in the repository.
func TestWriteContract_Archive_HasTheFilesOfTheContract(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	dist := t.TempDir()
	when := time.Unix(1e9, 0)
	if err := writeContract(dist, "v1.2.3", when); err != nil {
		t.Fatal(err)
	}
	packed, err := os.Open(filepath.Join(dist, "digate-v1.2.3-contract.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packed.Close() }()
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel("digate-v1.2.3-contract", header.Name)
		if err != nil || !header.ModTime.Equal(when) {
			t.Errorf("%s, %v: %v", header.Name, header.ModTime, err)
		}
		names = append(names, filepath.ToSlash(name))
		source := filepath.Join("client", name)
		if name == "LICENSE" {
			source = name
		}
		want, err := os.ReadFile(source)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, err := io.ReadAll(archive); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is another than in the repository: %v", name, err)
		}
	}
	for _, name := range []string{
		"LICENSE", "contract.binpb", "proto/diga/integration/v1/integration_service.proto", "proto/digate/v1/ledger_service.proto",
		"proto/google/rpc/error_details.proto", "proto/google/rpc/status.proto",
	} {
		if !slices.Contains(names, name) {
			t.Errorf("the archive lacks %s: %v", name, names)
		}
	}
}
