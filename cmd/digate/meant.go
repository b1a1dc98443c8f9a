package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/internal/spelling"
)

// maxMeant is the maximum number of suggested words. More do not help.
const maxMeant = 4

// meant returns the question whether one of the words was meant. It is empty if there are
// no words or too many.
func meant(words []string) string {
	if len(words) == 0 || len(words) > maxMeant {
		return ""
	}
	for i, word := range words {
		words[i] = fmt.Sprintf("%q", word)
	}
	if len(words) == 1 {
		return "; did you mean " + words[0] + "?"
	}
	return "; did you mean one of " + strings.Join(words, ", ") + "?"
}

// nodeOf returns the command of a command line, or the program.
func nodeOf(line *kong.Context) *kong.Node {
	if selected := line.Selected(); selected != nil {
		return selected
	}
	return line.Model.Node
}

// hasCommands reports whether the command of a line has subcommands.
func hasCommands(line *kong.Context) bool { return line != nil && len(nodeOf(line).Children) > 0 }

// flagsLike returns the flags of a line's command with names similar to the written one.
func flagsLike(line *kong.Context, written string) (like []string) {
	if line == nil {
		return nil
	}
	var names []string
	for _, group := range nodeOf(line).AllFlags(true) {
		for _, f := range group {
			names = append(names, f.Name)
		}
	}
	for _, name := range spelling.Nearby(strings.TrimLeft(written, "-"), names) {
		like = append(like, "--"+name)
	}
	return like
}

// commandsLike returns the subcommands of a line's command with similar names, or
// otherwise deeper ones with exactly this name: templates list for list.
func commandsLike(line *kong.Context, written string) []string {
	node := nodeOf(line)
	var names, deeper []string
	for _, child := range node.Children {
		if child.Hidden {
			continue
		}
		names = append(names, child.Name)
		for _, leaf := range child.Children {
			if leaf.Name == written {
				deeper = append(deeper, child.Name+" "+leaf.Name)
			}
		}
	}
	if like := spelling.Nearby(written, names); like != nil {
		return like
	}
	return deeper
}
