package accounts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/digate/digate/internal/spelling"
)

const (
	// MaxFile is the maximum size of the file, in bytes.
	MaxFile = 4 << 20
	// maxDepth is the maximum nesting depth. A valid file needs 7.
	maxDepth = 16
)

var yamlLine = regexp.MustCompile(`line (\d+): `)

// document returns the top-level mapping of a YAML text.
func document(text []byte) (*yaml.Node, error) {
	if len(text) > MaxFile {
		return nil, FileError{{Text: fmt.Sprintf("is larger than %d bytes", MaxFile)}}
	}
	documents := yaml.NewDecoder(bytes.NewReader(text))
	var top yaml.Node
	if err := documents.Decode(&top); errors.Is(err, io.EOF) {
		return nil, FileError{{Text: "is empty"}}
	} else if err != nil {
		return nil, notYAML(err)
	}
	if err := documents.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, FileError{{Text: "has more than one YAML document, or something after it that is no YAML"}}
	}
	var p FileError
	checkPlain(&p, &top, 0)
	if err := p.err(); err != nil {
		return nil, err
	}
	return top.Content[0], nil
}

// notYAML returns the error of a text that is not valid YAML. The parser's message may
// quote an alias, but nothing else.
func notYAML(err error) error {
	text, p := strings.TrimPrefix(err.Error(), "yaml: "), Problem{}
	if found := yamlLine.FindStringSubmatchIndex(text); found != nil {
		_, _ = fmt.Sscan(text[found[2]:found[3]], &p.Line)
		text = text[found[1]:]
	}
	if strings.Contains(text, "anchor") {
		text = "an alias of something that is not there"
	}
	p.Text = "is not YAML: " + text
	return FileError{p}
}

// checkPlain adds a problem for every node that is an alias, has an anchor or is nested too
// deeply. With aliases, a small file could expand to a large one.
func checkPlain(p *FileError, n *yaml.Node, depth int) {
	switch {
	case depth > maxDepth:
		p.addf(n.Line, "nests too deep")
		return
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		p.addf(n.Line, "anchors and aliases (& and *) are not supported; quote a name that begins with one of them")
		return
	}
	for _, c := range n.Content {
		checkPlain(p, c, depth+1)
	}
}

// kind returns the type of a node for error messages.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "a truth value"
	case "!!int", "!!float":
		return "a number"
	case "!!str":
		return "a text"
	default:
		return "of another type"
	}
}

// field is a key of a mapping, with the function that reads its value.
type field struct {
	name     string
	required bool
	read     func(*yaml.Node)
}

// fields reads a mapping with known keys. what describes its place in the file.
func (r *reader) fields(n *yaml.Node, what string, known ...field) {
	seen := r.entries(n, what, func(key, value *yaml.Node) {
		i := slices.IndexFunc(known, func(f field) bool { return f.name == key.Value })
		if i < 0 {
			names := make([]string, len(known))
			for i, f := range known {
				names[i] = f.name
			}
			r.addf(key.Line, "%s: unknown key %s%s", what, shorten(key.Value), didYouMean(key.Value, names))
			return
		}
		known[i].read(value)
	})
	if seen == nil {
		return
	}
	for _, f := range known {
		if f.required && seen[f.name] == 0 {
			r.addf(n.Line, "%s: %s is missing", what, f.name)
		}
	}
}

// entries calls read for every distinct key of a mapping, and returns the lines of the
// keys. It returns nil if the node is not a mapping.
func (r *reader) entries(n *yaml.Node, what string, read func(key, value *yaml.Node)) map[string]int {
	if n.Kind != yaml.MappingNode {
		r.addf(n.Line, "%s: must be a mapping, and is %s", what, kind(n))
		return nil
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			r.addf(key.Line, "%s: a key must be a text, and is %s", what, kind(key))
		case seen[key.Value] != 0:
			r.addf(key.Line, "%s: %s is there twice, first in line %d", what, shorten(key.Value), seen[key.Value])
		default:
			seen[key.Value] = key.Line
			read(key, value)
		}
	}
	return seen
}

// list calls read for every entry of a list. An empty list is a problem.
func (r *reader) list(n *yaml.Node, what string, read func(*yaml.Node)) {
	switch {
	case n.Kind != yaml.SequenceNode:
		r.addf(n.Line, "%s: must be a list, and is %s", what, kind(n))
	case len(n.Content) == 0:
		r.addf(n.Line, "%s: must not be empty", what)
	default:
		for _, c := range n.Content {
			read(c)
		}
	}
}

// text returns the text of a node, and reports whether the node is a string.
func (r *reader) text(n *yaml.Node, what string) (string, bool) {
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag != "!!str":
		hint := ""
		if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
			hint = "; put it in quotes"
		}
		r.addf(n.Line, "%s: must be a text, and is %s%s", what, kind(n), hint)
		return "", false
	case n.Value == "":
		r.addf(n.Line, "%s: must not be empty", what)
		return "", false
	}
	return n.Value, true
}

// didYouMean returns a suggestion for the end of an error message about a misspelt name.
// It is empty if no name is similar.
func didYouMean(misspelt string, names []string) string {
	if near, ok := spelling.Nearest(misspelt, names); ok {
		return "; did you mean " + near + "?"
	}
	return ""
}

// shorten returns a name for a message, cut if it is long.
func shorten(name string) string {
	const most = 80
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	return fmt.Sprintf("%q", name)
}
