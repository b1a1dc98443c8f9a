package emulator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds the values of a YAML document, those behind aliases counted at each use.
const maxNodes = 1_000_000

// decodeDocument reads a document in JSON or YAML. Its values are those of decodeJSON; a time in YAML is
// its text.
func decodeDocument(text []byte) (any, error) {
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') {
		if v, err := decodeJSON(text); err == nil {
			return v, nil
		}
	}
	documents := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := documents.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := documents.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one YAML document, or something after it that is no YAML")
	}
	d := yamlDecoder{left: maxNodes}
	return d.value(document.Content[0], 0)
}

type yamlDecoder struct{ left int }

func (d *yamlDecoder) value(n *yaml.Node, depth int) (any, error) {
	if d.left--; d.left < 0 || depth > maxDepth {
		return nil, errors.New("the document is too large")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return d.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			v, err := d.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		return d.object(n, depth)
	}
	return scalarOf(n)
}

func (d *yamlDecoder) object(n *yaml.Node, depth int) (any, error) {
	o, seen := object{}, map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge":
			return nil, fmt.Errorf("line %d: a key must be text", key.Line)
		case seen[key.Value]:
			return nil, fmt.Errorf("line %d: the key %q is there twice", key.Line, key.Value)
		}
		seen[key.Value] = true
		v, err := d.value(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		o = append(o, member{key.Value, v})
	}
	return o, nil
}

// wholeNumber matches an integer in the form that JSON has.
var wholeNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

func scalarOf(n *yaml.Node) (any, error) {
	tag := n.ShortTag()
	if (tag == "!!int" || tag == "!!float") && wholeNumber.MatchString(n.Value) {
		if len(n.Value) > maxDigits {
			return nil, fmt.Errorf("line %d: the number is too large", n.Line)
		}
		return integer(n.Value), nil // of any size, as in JSON
	}
	switch tag {
	case "!!null":
		return nil, nil
	case "!!str", "!!timestamp":
		return n.Value, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return b, err
	case "!!int":
		var i int64
		if err := n.Decode(&i); err != nil {
			return nil, fmt.Errorf("line %d: the number is too large", n.Line)
		}
		return integer(strconv.FormatInt(i, 10)), nil
	case "!!float":
		var f float64
		err := n.Decode(&f)
		return f, err
	}
	return nil, fmt.Errorf("line %d: a value of the type %s has no form in JSON", n.Line, tag)
}

// appendYAML renders a value of decodeJSON.
func appendYAML(v any) []byte {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	_ = e.Encode(yamlNode(v)) // into a buffer, of nodes that yamlNode made
	return b.Bytes()
}

func yamlNode(v any) *yaml.Node {
	n := &yaml.Node{}
	switch v := v.(type) {
	case object:
		if v == nil {
			_ = n.Encode(nil)
			return n
		}
		n.Kind = yaml.MappingNode
		for _, m := range v {
			n.Content = append(n.Content, yamlNode(m.key), yamlNode(m.value))
		}
	case []any:
		n.Kind = yaml.SequenceNode
		for _, item := range v {
			n.Content = append(n.Content, yamlNode(item))
		}
	case integer, float64:
		text, _ := appendJSON(nil, v) // what cannot be rendered is in no state
		n.Kind, n.Value = yaml.ScalarNode, string(text)
	default:
		_ = n.Encode(v) // nil, bool, int and string always encode
	}
	return n
}
