// Package openapi_test holds the OpenAPI document of the REST side to a server that
// runs: a validator that others wrote judges requests and their responses. It is a
// module of its own, so that the validator is no dependency of digate's.
package openapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/content"
	"github.com/pb33f/libopenapi-validator/errors"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/digate/digate/server/openapi"
)

// lines is the content type whose schema is that of each line.
const lines = "application/x-ndjson"

// document is the document of the REST side, and its validator.
type document struct {
	judge validator.Validator
	model *v3.Document
}

// read returns the document that the package embeds. That a server serves the same is
// a test of the server's.
var read = sync.OnceValues(func() (*document, error) {
	text, err := closed(openapi.JSON())
	if err != nil {
		return nil, err
	}
	parsed, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, err
	}
	model, err := parsed.BuildV3Model()
	if err != nil {
		return nil, err
	}
	judge, errs := validator.NewValidator(parsed, config.WithFormatAssertions(), config.WithContentAssertions(),
		config.WithStandardBodyDecoders(), config.WithBodyDecoder(lines, content.JSONDecoder()),
		config.WithRejectUnsupportedBodyContent(), config.WithRejectUndeclaredRequestBody())
	if len(errs) > 0 {
		return nil, fmt.Errorf("%v", errs)
	}
	return &document{judge: judge, model: &model.Model}, nil
})

func theDocument(t *testing.T) *document {
	t.Helper()
	d, err := read()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// closed returns a document in which an object has no other keys than those that are
// named: a server may send more to clients of later documents, and this one does not.
func closed(document []byte) ([]byte, error) {
	var root any
	if err := json.Unmarshal(document, &root); err != nil {
		return nil, err
	}
	var walk func(any)
	walk = func(node any) {
		switch v := node.(type) {
		case map[string]any:
			if properties, ok := v["properties"].(map[string]any); ok && properties["properties"] == nil && v["additionalProperties"] == nil {
				v["additionalProperties"] = false
			}
			for _, value := range v {
				walk(value)
			}
		case []any:
			for _, value := range v {
				walk(value)
			}
		}
	}
	walk(root)
	return json.Marshal(root)
}

// transport are the headers that HTTP itself gives a response.
var transport = []string{"Accept-Ranges", "Cache-Control", "Connection", "Content-Length", "Content-Type", "Date", "Vary", "X-Content-Type-Options"}

// request is a request for an operation, as the tests send it.
type request struct {
	operation string
	// path and verb are those of the operation, unless they are set.
	verb, path string
	query      string
	body       string
	header     map[string]string
}

// ids are what the paths of requests have, unless a test has others.
var ids = strings.NewReplacer(
	"{template_id}", "3c90c3cc-0d44-4b50-8888-8dd25736052a",
	"{integration_id}", "0198c0de-4d2a-7c11-9b6e-5f0a7d3c2b10",
	"{tool_id}", "0198c0de-4d2b-7d52-8a1f-2c6e9b40d713",
)

// http returns the request to a server, with a body of its own.
func (r request) http(t *testing.T, d *document, base string) *http.Request {
	t.Helper()
	verb, path := d.route(t, r.operation)
	if r.path != "" {
		path = r.path
	}
	if r.verb != "" {
		verb = r.verb
	}
	out, err := http.NewRequestWithContext(t.Context(), verb, base+ids.Replace(path)+r.query, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	out.Header.Set("Authorization", "Bearer t")
	if r.body != "" {
		out.Header.Set("Content-Type", "application/json")
	}
	if r.operation == "BulkCopyTemplate" {
		out.Header.Set("Content-Type", lines)
	}
	for name, value := range r.header {
		out.Header.Set(name, value)
		if value == "" {
			out.Header.Del(name)
		}
	}
	return out
}

// route returns the verb and the path of an operation.
func (d *document) route(t *testing.T, id string) (verb, path string) {
	t.Helper()
	for path, item := range d.model.Paths.PathItems.FromOldest() {
		for verb, op := range item.GetOperations().FromOldest() {
			if op.OperationId == id {
				return strings.ToUpper(verb), path
			}
		}
	}
	t.Fatalf("the document has no operation %s", id)
	return "", ""
}

// response is a response, read to its end.
type response struct {
	status int
	header http.Header
	body   string
}

// send sends a request and returns the response, which the document must have.
func (d *document) send(t *testing.T, base string, r request) response {
	t.Helper()
	resp, err := client.Do(r.http(t, d, base))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := response{resp.StatusCode, resp.Header, string(body)}
	d.holds(t, r, got)
	d.knowsHeaders(t, r, got)
	return got
}

// faults returns what the document forbids in a request. Of a body in lines it looks at
// each line.
func (d *document) faults(t *testing.T, r request) []string {
	t.Helper()
	var all []*errors.ValidationError
	for _, body := range bodies(r.body, r.operation == "BulkCopyTemplate") {
		r.body = body
		_, path := d.route(t, r.operation)
		_, errs := d.judge.ValidateHttpRequestSyncWithPathItem(r.http(t, d, "http://digate"), d.model.Paths.PathItems.GetOrZero(path), path)
		all = append(all, errs...)
	}
	return texts(all)
}

// holds fails the test if the document does not have a response to an operation.
func (d *document) holds(t *testing.T, r request, got response) {
	t.Helper()
	asked := request{operation: r.operation}.http(t, d, "http://digate")
	for _, body := range bodies(got.body, got.header.Get("Content-Type") == lines) {
		resp := &http.Response{StatusCode: got.status, Header: got.header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
		_, path := d.route(t, r.operation)
		if _, errs := d.judge.GetResponseBodyValidator().ValidateResponseBodyWithPathItem(asked, resp, d.model.Paths.PathItems.GetOrZero(path), path); len(errs) > 0 {
			t.Errorf("%s: a %d is not as the document has it:\n%s\n%v\n%s", r.operation, got.status, strings.Join(texts(errs), "\n"), got.header, body)
		}
	}
}

// knowsHeaders fails the test if a response has a header that the document does not
// name.
func (d *document) knowsHeaders(t *testing.T, r request, got response) {
	t.Helper()
	verb, path := d.route(t, r.operation)
	codes := d.model.Paths.PathItems.GetOrZero(path).GetOperations().GetOrZero(strings.ToLower(verb)).Responses.Codes
	resp := codes.GetOrZero(strconv.Itoa(got.status))
	if resp == nil {
		resp = codes.GetOrZero(fmt.Sprint(got.status/100, "XX"))
	}
	for name := range got.header {
		if resp == nil || slices.Contains(transport, name) {
			continue
		}
		known := false
		for other := range resp.Headers.FromOldest() {
			known = known || strings.EqualFold(name, other)
		}
		if !known {
			t.Errorf("%s: the document has no header %s in a %d", r.operation, name, got.status)
		}
	}
}

// bodies returns the lines of a body, or the body.
func bodies(body string, inLines bool) []string {
	if !inLines {
		return []string{body}
	}
	all := slices.Collect(strings.Lines(body))
	return slices.DeleteFunc(all, func(line string) bool { return strings.TrimSpace(line) == "" })
}

func texts(errs []*errors.ValidationError) []string {
	var all []string
	for _, e := range errs {
		text := e.Message + ": " + e.Reason
		for _, s := range e.SchemaValidationErrors {
			text += "; " + s.Error()
		}
		all = append(all, text)
	}
	return all
}
