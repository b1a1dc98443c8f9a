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
	ask               bool // the flag has no value, and a person is asked for it
}

// assignments parses the NAME=VALUE of a flag.
func assignments(flag string, texts []string) ([]assignment, error) {
	all, err := assignmentsOrNames(flag, texts)
	if slices.ContainsFunc(all, func(a assignment) bool { return a.ask }) {
		return nil, fmt.Errorf("--%s: must be NAME=VALUE", flag)
	}
	return all, err
}

// assignmentsOrNames parses the NAME=VALUE of a flag, or the NAME whose value a person is
// asked for.
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

// canAsk returns an error if there is a name without a value, and nobody who can be asked
// for it. The error does not quote what may be a value without a name.
func canAsk(std term.IO, all []assignment) error {
	for _, a := range all {
		if err := std.CannotAsk(); a.ask && err != nil {
			return fmt.Errorf("--%[1]s: must be NAME=VALUE; %[2]w; for a secret, --%[1]s-file NAME=FILE", a.flag, err)
		}
	}
	return nil
}

// askValues asks for the values of names. what is what they are, such as "Header".
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

// readFiles replaces the names of files in assignments by what is in the files.
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
// that is a person who can be asked for each.
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

// checkUnique returns an error if a name has two values.
func checkUnique(all ...assignment) error {
	for i, a := range all {
		if slices.ContainsFunc(all[:i], func(b assignment) bool { return b.name == a.name }) {
			return fmt.Errorf("--%s: %q is set twice", a.flag, a.name)
		}
	}
	return nil
}
