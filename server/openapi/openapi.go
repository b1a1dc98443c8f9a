// Package openapi has the OpenAPI document of the REST side, and serves it as JSON and
// YAML. The document is generated from the contract (make generate).
package openapi

import (
	"bytes"
	_ "embed" // of the document
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/digate/digate/server/static"
)

// The paths of the document.
const (
	PathJSON = "/openapi.json"
	PathYAML = "/openapi.yaml"
)

//go:embed openapi.json
var document []byte

// JSON returns the document as JSON. It must not be modified.
func JSON() []byte { return document }

// YAML converts a JSON document to YAML, with its members in the same order.
func YAML(document []byte) ([]byte, error) {
	var tree yaml.Node
	if err := yaml.Unmarshal(document, &tree); err != nil { // JSON is valid YAML
		return nil, fmt.Errorf("openapi: %w", err)
	}
	block(&tree)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&tree); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	return out.Bytes(), nil
}

// block changes a tree that was parsed from JSON to the style of YAML.
func block(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && strings.Contains(n.Value, "\n") {
		n.Style = yaml.LiteralStyle
	}
	for _, child := range n.Content {
		block(child)
	}
}

// Handlers returns the handlers of the document, by path. Each form of the document is
// created at its first request and cached.
func Handlers() map[string]http.Handler {
	return map[string]http.Handler{
		PathJSON: static.Text("application/json", compact),
		PathYAML: static.Text("application/yaml", func() ([]byte, error) { return YAML(document) }),
	}
}

func compact() ([]byte, error) {
	var out bytes.Buffer
	err := json.Compact(&out, document)
	return out.Bytes(), err
}
