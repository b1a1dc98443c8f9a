package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// assignment is a NAME=VALUE of a flag. The value may be a secret, so no error quotes it.
type assignment struct {
	flag, name, value string
	ask               bool // the flag has no value, so digate asks for it
}

// assignments parses the NAME=VALUE texts of a flag.
func assignments(flag string, texts []string) ([]assignment, error) {
	all, err := assignmentsOrNames(flag, texts)
	if slices.ContainsFunc(all, func(a assignment) bool { return a.ask }) {
		return nil, fmt.Errorf("--%s: must be NAME=VALUE", flag)
	}
	return all, err
}

// assignmentsOrNames parses the texts of a flag, each NAME=VALUE, or NAME if digate
// should ask for the value.
func assignmentsOrNames(flag string, texts []string) ([]assignment, error) {
	all := make([]assignment, len(texts))
	for i, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if name == "" {
			return nil, fmt.Errorf("--%s: must be NAME=VALUE", flag)
		}
		all[i] = assignment{flag, name, value, !ok}
	}
	return all, nil
}

// canAsk returns an error if a name has no value and there is no terminal to ask on. The
// error does not quote the text, which may be a value without a name.
func canAsk(std term.IO, all []assignment) error {
	for _, a := range all {
		if err := std.CannotAsk(); a.ask && err != nil {
			return fmt.Errorf("--%[1]s: must be NAME=VALUE; %[2]w; for a secret, --%[1]s-file NAME=FILE", a.flag, err)
		}
	}
	return nil
}

// askValues asks for the missing values. what describes the names, for example "Header".
func askValues(ctx context.Context, std term.IO, what string, all []assignment) error {
	for i, a := range all {
		if !a.ask {
			continue
		}
		value, err := term.AskSecret(ctx, std, fmt.Sprintf("%s %s (not shown): ", what, a.name))
		if err != nil {
			return fmt.Errorf("--%s: %q: %w", a.flag, a.name, err)
		}
		all[i].value, all[i].ask = value, false
	}
	return nil
}

// readFiles replaces the file names in assignments by the contents of the files.
func readFiles(ctx context.Context, std term.IO, what string, all []assignment) error {
	for i, a := range all {
		if a.value == "" {
			return fmt.Errorf("--%s: must be NAME=FILE", a.flag)
		}
		secret, err := term.ReadSecret(ctx, std, a.value, what+" "+a.name)
		if err != nil {
			return fmt.Errorf("--%s: %q: %w", a.flag, a.name, err)
		}
		all[i].value = secret
	}
	return nil
}

// checkOneStdin returns an error if more than one of the files is standard input, unless
// that is a terminal, on which digate can ask for each.
func checkOneStdin(std term.IO, files []assignment, others ...string) error {
	if std.CannotAsk() == nil {
		return nil
	}
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

// checkUnique returns an error if a name occurs twice.
func checkUnique(all ...assignment) error {
	for i, a := range all {
		if slices.ContainsFunc(all[:i], func(b assignment) bool { return b.name == a.name }) {
			return fmt.Errorf("--%s: %q is set twice", a.flag, a.name)
		}
	}
	return nil
}
