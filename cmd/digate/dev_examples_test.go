package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/digate/digate/server/emulator"
	"github.com/digate/digate/server/openapi"
)

// described is an operation of the OpenAPI document.
type described struct {
	verb, path string

	ID          string      `yaml:"operationId"`
	Parameters  []parameter `yaml:"parameters"`
	RequestBody *struct {
		Content map[string]media `yaml:"content"`
	} `yaml:"requestBody"`
	Responses map[string]struct {
		Content map[string]media `yaml:"content"`
	} `yaml:"responses"`
}

type parameter struct {
	Ref      string `yaml:"$ref"`
	Name     string `yaml:"name"`
	In       string `yaml:"in"`
	Required bool   `yaml:"required"`
	Example  any    `yaml:"example"`
}

type media struct {
	Example any `yaml:"example"`
}

// operations returns the operations of a document, in its order.
func operations(t *testing.T, document []byte) []described {
	t.Helper()
	var root struct {
		Paths      yaml.Node `yaml:"paths"`
		Components struct {
			Parameters map[string]parameter `yaml:"parameters"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(document, &root); err != nil { // JSON is YAML
		t.Fatal(err)
	}
	var all []described
	for i := 0; i < len(root.Paths.Content); i += 2 {
		path, item := root.Paths.Content[i].Value, root.Paths.Content[i+1]
		for j := 0; j < len(item.Content); j += 2 {
			op := described{verb: strings.ToUpper(item.Content[j].Value), path: path}
			if err := item.Content[j+1].Decode(&op); err != nil {
				t.Fatal(err)
			}
			for k, p := range op.Parameters {
				if name, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
					op.Parameters[k] = root.Components.Parameters[name]
				}
			}
			all = append(all, op)
		}
	}
	return all
}

// success returns the status of a success, and the example of its body, nil if it has none.
func (op described) success(t *testing.T) (status int, example any) {
	t.Helper()
	for code, response := range op.Responses {
		if !strings.HasPrefix(code, "2") {
			continue
		}
		if status != 0 {
			t.Fatalf("%s has more than one success", op.ID)
		}
		var err error
		if status, err = strconv.Atoi(code); err != nil {
			t.Fatal(err)
		}
		for _, m := range response.Content {
			example = m.Example
		}
	}
	return status, example
}

// request returns a request made of the operation's examples: all of them, or only those
// of required parameters. A required parameter without an example fails the test.
func (op described) request(t *testing.T, base string, optional bool) *http.Request {
	t.Helper()
	path, query, header := op.path, url.Values{}, http.Header{"Authorization": {"Bearer " + sampleToken}}
	for _, p := range op.Parameters {
		if p.Example == nil {
			if p.Required {
				t.Errorf("%s: the document has no example of %s", op.ID, p.Name)
			}
			continue
		}
		if !p.Required && !optional {
			continue
		}
		switch value := fmt.Sprint(p.Example); p.In {
		case "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(value))
		case "query":
			query.Set(p.Name, value)
		case "header":
			header.Set(p.Name, value)
		default:
			t.Fatalf("%s: a parameter in %s", op.ID, p.In)
		}
	}
	var body []byte
	if op.RequestBody != nil {
		for kind, m := range op.RequestBody.Content {
			header.Set("Content-Type", kind)
			body = exampleBody(t, op.ID, kind, m.Example)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), op.verb, base+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.RawQuery, r.Header = query.Encode(), header
	return r
}

// exampleBody returns an example of a body as it is sent.
func exampleBody(t *testing.T, operation, kind string, example any) []byte {
	t.Helper()
	if example == nil {
		t.Errorf("%s: the document has no example of its body", operation)
	}
	if text, ok := example.(string); ok && kind == lines {
		return []byte(text)
	}
	body, err := json.Marshal(example)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// lines is a body of one JSON object a line.
const lines = "application/x-ndjson"

// The examples of every operation work in the order of the document: all of them
// together, and those of required fields alone, which the page at /docs sends.
func TestDev_RequestsOfTheDocumentsExamples_Succeed(t *testing.T) {
	for name, tt := range map[string]struct {
		optional bool
		flags    []string
	}{
		"with every example":               {true, nil},
		"with required examples, strictly": {false, []string{"--strict"}},
	} {
		t.Run(name, func(t *testing.T) {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			d := launchDev(t, tt.flags...)
			base := d.match(t, `REST +(http://\S+)`)
			all := operations(t, get(t, client, base+openapi.PathJSON))
			if len(all) != 21 {
				t.Errorf("%d operations", len(all))
			}
			for _, op := range all {
				resp, err := client.Do(op.request(t, base, tt.optional))
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				want, example := op.success(t)
				if resp.StatusCode != want {
					t.Errorf("%s: %s, want %d: %s", op.ID, resp.Status, want, body)
					continue
				}
				if resp.Header.Get("Content-Type") == lines {
					succeeded(t, op.ID, body)
				}
				if example != nil {
					shown(t, op, body, example)
				}
			}
		})
	}
}

func get(t *testing.T, client *http.Client, address string) []byte {
	t.Helper()
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", address, resp.Status, err)
	}
	return body
}

// succeeded fails the test unless the lines are items, with their summary last.
func succeeded(t *testing.T, operation string, body []byte) {
	t.Helper()
	all := strings.Split(strings.TrimSpace(string(body)), "\n")
	for i, text := range all {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%s: %v in %s", operation, err, text)
		}
		if line["error"] != nil || (line["summary"] != nil) != (i == len(all)-1) || len(all) < 2 {
			t.Errorf("%s: line %d is %s", operation, i+1, text)
		}
	}
}

// shown fails the test unless a response is the document's example. Times may differ, and
// the id of a new integration.
func shown(t *testing.T, op described, body []byte, example any) {
	t.Helper()
	var got, want map[string]any
	text, err := json.Marshal(example)
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]*map[string]any{string(body): &got, string(text): &want} {
		if err := json.Unmarshal([]byte(from), to); err != nil {
			t.Fatalf("%s: %v in %s", op.ID, err, from)
		}
		delete(*to, "created_at")
		delete(*to, "updated_at")
		if op.verb == http.MethodPost {
			delete(*to, "id")
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: the document shows\n%s\nand dev responds\n%s", op.ID, text, body)
	}
}

// The sample integration has what the example of CopyTemplate makes.
func TestDev_Sample_IsACopyOfItsTemplate(t *testing.T) {
	t.Parallel()
	state, err := emulator.ParseState(sample)
	if err != nil {
		t.Fatal(err)
	}
	e := emulator.New(emulator.Options{State: state})
	call := func(method, path, body string) string {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+sampleToken)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w.Body.String()
	}
	call(http.MethodPost, "/v1/integration/template/"+welcomeTemplate+"/copy", `{"name":"My shop","api_key":"k-123","variables":{"shop":"acme"}}`)
	all := e.Integrations(sampleToken)
	if len(all) != 3 {
		t.Fatalf("%+v", all)
	}
	tools := func(it emulator.Integration) string {
		body := call(http.MethodGet, "/v1/integration/"+it.ID+"/tool", "")
		for i, tool := range it.Tools {
			body = strings.ReplaceAll(body, tool.ID, fmt.Sprint("tool ", i))
		}
		return body
	}
	if got, want := tools(all[1]), tools(all[2]); got != want || len(all[1].Tools) != 3 {
		t.Errorf("%s and the copy's tools %s", got, want)
	}
}
