// Command update writes the files of the viewer from its npm package. It takes the
// version that is recorded beside them and refuses a package of another digest; with
// -version it takes another version, and records its digest.
//
// It is run in the root of the tree, with npm in the PATH: make viewer.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/digate/digate/server/openapi/viewer"
	"github.com/digate/digate/server/static"
)

// folder is where the files are kept.
const folder = "server/openapi/viewer/swagger-ui"

func main() {
	version := flag.String("version", "", "take this version, and record it")
	flag.Parse()
	if err := update(*version); err != nil {
		fmt.Fprintln(os.Stderr, "update:", err)
		os.Exit(1)
	}
}

func update(version string) error {
	source, err := viewer.Recorded()
	if err != nil {
		return err
	}
	if version != "" {
		source.Version = version
	}
	pack, err := download(source.Package + "@" + source.Version)
	if err != nil {
		return err
	}
	sum := sha512.Sum512(pack)
	integrity := "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	if version == "" && integrity != source.Integrity {
		return fmt.Errorf("%s@%s is %s, and %s is recorded", source.Package, source.Version, integrity, source.Integrity)
	}
	source.Integrity = integrity
	files, err := unpack(pack)
	if err != nil {
		return err
	}
	source.SHA256 = make(map[string]string)
	for name, kept := range viewer.Files {
		text, ok := files[name]
		if !ok {
			return fmt.Errorf("%s@%s has no %s", source.Package, source.Version, name)
		}
		digest := sha256.Sum256(text)
		source.SHA256[name] = hex.EncodeToString(digest[:])
		if err := write(filepath.Join(folder, kept), text); err != nil {
			return err
		}
	}
	record, err := json.MarshalIndent(source, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, viewer.RecordFile), append(record, '\n'), 0o644) //nolint:gosec // a file of the tree
}

// write writes a file as it is kept. A compressed file that has the text already is left
// as it is: another version of Go may compress it in another way.
func write(file string, text []byte) error {
	if strings.HasSuffix(file, viewer.Zipped) {
		before, err := os.ReadFile(file)
		if err == nil {
			before, err = static.Unzip(before)
		}
		if err == nil && bytes.Equal(before, text) {
			return nil
		}
		text = static.Zip(text)
	}
	return os.WriteFile(file, text, 0o644) //nolint:gosec // a file of the tree
}

// download returns a package as npm has it.
func download(name string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "digate-viewer-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cmd := exec.Command("npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", dir, name) //nolint:gosec // whoever runs this names it
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("npm pack %s: %w", name, err)
	}
	packs, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(packs) != 1 {
		return nil, errors.Join(err, fmt.Errorf("npm pack %s gave %d files", name, len(packs)))
	}
	return os.ReadFile(packs[0])
}

// unpack returns the files at the top of a package, by their names.
func unpack(pack []byte) (map[string][]byte, error) {
	text, err := gzip.NewReader(bytes.NewReader(pack))
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for archive := tar.NewReader(text); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if name, ok := strings.CutPrefix(header.Name, "package/"); ok {
			if files[name], err = io.ReadAll(archive); err != nil {
				return nil, err
			}
		}
	}
}
