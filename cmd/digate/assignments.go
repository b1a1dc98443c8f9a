package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/file"
)

// assignment is a NAME=VALUE of a flag. The value may be a secret, so no error quotes it.
type assignment struct{ flag, name, value string }

// assignments parses the NAME=VALUE of a flag.
func assignments(flag string, texts []string) ([]assignment, error) {
	all := make([]assignment, len(texts))
	for i, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--%s: must be NAME=VALUE", flag)
		}
		all[i] = assignment{flag, name, value}
	}
	return all, nil
}

// readFiles replaces the names of files in assignments by what is in the files.
func readFiles(all []assignment, stdin io.Reader) error {
	for i, a := range all {
		if a.value == "" {
			return fmt.Errorf("--%s: must be NAME=FILE", a.flag)
		}
		secret, err := file.ReadSecret(a.value, stdin)
		if err != nil {
			return fmt.Errorf("--%s: %q: %w", a.flag, a.name, err)
		}
		all[i].value = secret
	}
	return nil
}

// checkOneStdin returns an error if more than one of the files is standard input.
func checkOneStdin(files []assignment, others ...string) error {
	n := 0
	for _, f := range files {
		if f.value == "-" {
			n++
		}
	}
	for _, f := range others {
		if f == "-" {
			n++
		}
	}
	if n > 1 {
		return errors.New("standard input, which is -, can be only one of the files")
	}
	return nil
}

// checkUnique returns an error if a name has two values.
func checkUnique(all ...assignment) error {
	for i, a := range all {
		if slices.ContainsFunc(all[:i], func(b assignment) bool { return b.name == a.name }) {
			return fmt.Errorf("--%s: %q is set twice", a.flag, a.name)
		}
	}
	return nil
}
