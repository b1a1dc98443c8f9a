// Package clientcontract serves the contract to callers: each of its files, and an
// archive of all files.
package clientcontract

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/digate/digate/client"
	"github.com/digate/digate/server/static"
)

// The paths of the contract. Each file is below Path, by its name in the repository's
// directory client.
const (
	Path        = "/contract/"
	PathArchive = Path + "contract.tar"
)

// Handlers returns the handlers of the contract, by path. Path itself lists the others.
func Handlers() map[string]http.Handler {
	names := files()
	handlers := map[string]http.Handler{
		Path:        static.Text("text/plain; charset=utf-8", func() ([]byte, error) { return list(names), nil }),
		PathArchive: static.Text("application/x-tar", func() ([]byte, error) { return archive(names) }),
	}
	for _, name := range names {
		kind := "text/plain; charset=utf-8"
		if path.Ext(name) == ".binpb" {
			kind = "application/protobuf"
		}
		handlers[Path+name] = static.Text(kind, func() ([]byte, error) { return client.Files.ReadFile(name) })
	}
	return handlers
}

// files returns the names of the contract's files, sorted.
func files() (names []string) {
	_ = fs.WalkDir(client.Files, ".", func(name string, d fs.DirEntry, err error) error { // embedded files can always be read
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	return names
}

// list returns the paths of the archive and of the files, one per line.
func list(names []string) []byte {
	return []byte(PathArchive + "\n" + Path + strings.Join(names, "\n"+Path) + "\n")
}

// archive returns the files as a tar archive.
func archive(names []string) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range names {
		content, err := client.Files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Format: tar.FormatUSTAR}); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}
