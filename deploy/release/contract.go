package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/digate/digate/client"
)

// writeContract writes the archive of the contract for callers into dist.
func writeContract(dist, version string, when time.Time) error {
	license, err := os.ReadFile("LICENSE")
	if err != nil {
		return err
	}
	files, err := contractFiles(license)
	if err != nil {
		return err
	}
	name := "digate-" + version + "-contract"
	out, err := os.Create(filepath.Join(dist, name+".tar.gz"))
	if err != nil {
		return err
	}
	return errors.Join(writeTar(out, name, when, files), out.Close())
}

// contractFiles returns the license, and the files of the contract for callers.
func contractFiles(license []byte) ([]file, error) {
	files := []file{{name: "LICENSE", mode: 0o644, content: license}}
	err := fs.WalkDir(client.Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := client.Files.ReadFile(path)
		files = append(files, file{name: path, mode: 0o644, content: content})
		return err
	})
	return files, err
}
