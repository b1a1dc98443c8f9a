// Package openapi holds the OpenAPI document of the REST side. It is generated from the
// contract (make generate), and served as JSON and YAML.
package openapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed" // of the document
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
)

// The paths of the document.
const (
	PathJSON = "/openapi.json"
	PathYAML = "/openapi.yaml"
)

//go:embed openapi.json
var document []byte

// JSON returns the document as JSON. It must not be changed.
func JSON() []byte { return document }

// YAML returns a document in JSON as YAML, its members in the same order.
func YAML(document []byte) ([]byte, error) {
	var tree yaml.Node
	if err := yaml.Unmarshal(document, &tree); err != nil { // JSON is YAML
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

// block gives a tree that was JSON the style of YAML.
func block(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && strings.Contains(n.Value, "\n") {
		n.Style = yaml.LiteralStyle
	}
	for _, child := range n.Content {
		block(child)
	}
}

// Handlers returns what serves the document, by its path. Each form of the document is
// made at its first request, and kept.
func Handlers() map[string]http.Handler {
	return map[string]http.Handler{
		PathJSON: newHandler("application/json", compact),
		PathYAML: newHandler("application/yaml", func() ([]byte, error) { return YAML(document) }),
	}
}

func compact() ([]byte, error) {
	var out bytes.Buffer
	err := json.Compact(&out, document)
	return out.Bytes(), err
}

// representation is the document as it is sent.
type representation struct {
	plain, zipped []byte
	etag          string
}

// handler serves one form of the document.
type handler struct {
	contentType string
	made        func() (representation, error)
}

func newHandler(contentType string, form func() ([]byte, error)) *handler {
	return &handler{contentType, sync.OnceValues(func() (representation, error) {
		text, err := form()
		if err != nil {
			return representation{}, err
		}
		var zipped bytes.Buffer
		w, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression) // the level exists
		_, _ = w.Write(text)                                       // a buffer takes everything
		_ = w.Close()
		sum := sha256.Sum256(text)
		return representation{text, zipped.Bytes(), hex.EncodeToString(sum[:16])}, nil
	})}
}

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	doc, err := h.made()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", h.contentType)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-cache") // it may be kept, and is asked for again by its ETag
	header.Set("Vary", "Accept-Encoding")
	body, etag := doc.plain, `"`+doc.etag+`"`
	if takesGzip(r.Header.Values("Accept-Encoding")) {
		body, etag = doc.zipped, `"`+doc.etag+`-gzip"`
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("ETag", etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// takesGzip reports whether a client takes gzip (RFC 9110, 12.5.3): it names gzip, or
// everything, and not with a weight of 0.
func takesGzip(values []string) bool {
	others := false
	for _, value := range values {
		for element := range strings.SplitSeq(value, ",") {
			coding, weight, _ := strings.Cut(element, ";")
			takes := !refused(weight)
			switch strings.ToLower(strings.TrimSpace(coding)) {
			case "gzip", "x-gzip":
				return takes
			case "*":
				others = takes
			}
		}
	}
	return others
}

// refused reports whether a weight is 0.
func refused(weight string) bool {
	q, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(weight, " ", "")), "q=")
	return ok && strings.HasPrefix(q, "0") && strings.Trim(q, "0.") == ""
}
