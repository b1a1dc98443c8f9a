package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licenseFile matches the files in which a module has what its license asks to be
// passed on.
var licenseFile = regexp.MustCompile(`(?i)^(.*\.)?(licen[cs]e|copying|notice|patents|copyright)([.-].*)?$`)

// licenses returns the licenses of Go of all modules that are in the binary, and of the page at
// /docs.
func (t target) licenses() ([]byte, error) {
	out, err := run(t.environment(), "go", "list", "-deps", "-f", `{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}	{{.Dir}}{{end}}{{end}}`, "./cmd/digate")
	if err != nil {
		return nil, err
	}
	root, err := run(nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	all := []string{"Go	" + strings.TrimSpace(string(root))}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	all = append(all, "swagger-ui	server/openapi/viewer/swagger-ui")
	slices.Sort(all[1:])
	var b bytes.Buffer
	b.WriteString("The binary contains the code below, under these licenses.\n")
	for _, line := range slices.Compact(all) {
		name, dir, _ := strings.Cut(line, "\t")
		if err := writeLicense(&b, name, dir); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func writeLicense(b *bytes.Buffer, name, dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := false
	for _, f := range files {
		if !f.Type().IsRegular() || !licenseFile.MatchString(f.Name()) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		found = true
		fmt.Fprintf(b, "\n%s\n%s: %s\n\n%s\n", strings.Repeat("=", 80), name, f.Name(), bytes.TrimSpace(content))
	}
	if !found {
		return fmt.Errorf("%s has no license file", name)
	}
	return nil
}
