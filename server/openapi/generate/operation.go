package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/contract"
)

type protoName = protoreflect.FullName

// The tags of the operations.
const (
	tagTemplates    = "templates"
	tagIntegrations = "integrations"
	tagTools        = "tools"
	tagServer       = "server"
)

const lines = "application/x-ndjson"

// operation returns the operation of a method.
func (d *document) operation(m *contract.Method) object {
	op := d.head(m)
	op = op.with("parameters", d.parameters(m))
	if m.Binding.Body != nil {
		op = op.with("requestBody", d.requestBody(m))
	}
	responses := object{{strconv.Itoa(m.SuccessStatus), d.success(m)}}
	return op.with("responses", append(responses, failuresOf(m)...))
}

// head returns the members that every operation begins with.
func (d *document) head(m *contract.Method) object {
	text := d.schemas.describe(m.Descriptor)
	summary := strings.TrimSuffix(firstSentence(text), ".")
	if m.FacadeOnly {
		text += "\n\nOnly digate has this route."
	}
	return object{
		{"operationId", string(m.Descriptor.Name())}, {"tags", []string{tagOf(m)}},
		{"summary", summary}, {"description", text},
	}
}

func firstSentence(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	sentence, _, more := strings.Cut(text, ". ")
	if more {
		sentence += "."
	}
	return sentence
}

func tagOf(m *contract.Method) string {
	switch name := string(m.Descriptor.Name()); {
	case strings.Contains(name, "Template"):
		return tagTemplates
	case strings.Contains(name, "Tool"):
		return tagTools
	default:
		return tagIntegrations
	}
}

// parameters returns the path and query fields of a method, and the headers that apply to
// it.
func (d *document) parameters(m *contract.Method) []any {
	var all []any
	add := func(fd protoreflect.FieldDescriptor, in string) {
		schema := d.schemas.field(fd, false)
		p := object{{"name", string(fd.Name())}, {"in", in}}
		if in == "path" || isRequired(fd) {
			p = p.with("required", true)
		}
		p = p.with("description", d.schemas.describe(fd))
		p = p.with("schema", without(schema, "description"))
		example, ok := parameterExample(m, string(fd.Name()))
		switch {
		case ok:
			p = p.with("example", example)
		case p.has("required"):
			d.errs = append(d.errs, fmt.Errorf("%s of %s has no example: add one to parameterExamples in server/openapi/generate/example.go", fd.Name(), m.FullName))
		}
		all = append(all, p)
	}
	for _, s := range m.Binding.Path {
		if s.Field != nil {
			add(s.Field, "path")
		}
	}
	for _, fd := range m.Binding.Query {
		add(fd, "query")
	}
	for _, name := range headerNames(m) {
		all = append(all, ref("parameters", name))
	}
	return all
}

// headerNames returns the request headers that apply to a method.
func headerNames(m *contract.Method) []string {
	names := slices.Clone(everywhere)
	in := m.Descriptor.Input()
	if m.Unary && contract.IdempotencyKey(in) != nil {
		names = append([]string{"Idempotency-Key"}, names...)
	}
	if in == (*integrationv1.CopyTemplateRequest)(nil).ProtoReflect().Descriptor() {
		names = append(names, "Digate-Unresolved")
	}
	return names
}

func without(o object, name string) object {
	var rest object
	for _, m := range o {
		if m.name != name {
			rest = append(rest, m)
		}
	}
	return rest
}

func (d *document) requestBody(m *contract.Method) object {
	content := object{{"schema", d.schemas.message(m.Descriptor.Input(), m.Binding.InPath()...)}}
	if example, ok := requestExamples[string(m.Descriptor.Name())]; ok {
		content = content.with("example", example)
	} else {
		d.errs = append(d.errs, fmt.Errorf("%s has no example of a request: add one to requestExamples in server/openapi/generate/example.go", m.FullName))
	}
	return object{{"required", true}, {"content", object{{"application/json", content}}}}
}

// success returns the response to a successful request.
func (d *document) success(m *contract.Method) object {
	headers := []string{"X-Request-Id", "Preference-Applied"}
	if m.Unary && contract.IdempotencyKey(m.Descriptor.Input()) != nil {
		headers = append(headers, "Digate-Replayed")
	}
	out := m.Descriptor.Output()
	switch {
	case m.SuccessStatus == http.StatusNoContent:
		return object{{"description", "It is done. The response has no body."}, {"headers", headersOf(headers...)}}
	case !m.Unary:
		return object{
			{"description", "Newline-delimited JSON: each line is one JSON object of this schema. The last line is the summary, or the error that ended the stream."},
			{"headers", headersOf(headers...)},
			{"content", object{{lines, object{{"schema", d.streamLine(m)}}}}},
		}
	}
	what := d.schemas.describe(out)
	if fd := m.Binding.ResponseField; fd != nil {
		what, out = firstSentence(d.schemas.describe(fd)), fd.Message()
	}
	content := object{{"schema", d.schemas.message(out)}}
	if example, ok := responseExamples[string(m.Descriptor.Name())]; ok {
		content = content.with("example", example)
	}
	return object{
		{"description", what}, {"headers", headersOf(headers...)},
		{"content", object{{"application/json", content}}},
	}
}
