package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/openapi"
)

const about = `Diga's integration API as digate serves it over REST. A client of Diga works with digate under another base URL: wherever Diga gave a response, the caller gets Diga's own body, byte for byte. Routes that only digate has say so.

**Failures.** Every failure has the header ` + "`Digate-Outcome`" + `, which tells what the caller may conclude:

- ` + "`NOT_SENT`" + `: nothing was sent to Diga, so Diga did nothing.
- ` + "`REJECTED`" + `: Diga refused the request and did nothing.
- ` + "`UNKNOWN`" + `: the request was sent and its result is not known. Diga may have done what was asked.
- ` + "`DONE`" + `: Diga did what was asked, and digate cannot show it.

The body of a failure has one of Diga's two shapes: the envelope with an ` + "`error_code`" + `, or ` + "`detail`" + ` with a list of the values that are refused. An error status of Diga's is passed on, even if the operation does not list it.

**At most once.** A request that creates something and has an ` + "`Idempotency-Key`" + ` is sent to Diga at most once, however often it is repeated. Without a key a second request creates a second one. So after the outcome ` + "`UNKNOWN`" + ` a request without a key must not be repeated, unless two are acceptable.

**JSON.** A field is unset if it is absent or null. In a ` + "`PATCH`" + `, null clears the field, and an absent field stays as it is. Unknown fields of a request are ignored. A response may have more fields than are described here. It has every required one, unless Diga breaks its contract or its response broke off: then the missing fields are null. What digate writes itself, which is each line of a stream or of a bulk response and the preview of a copy, has null for an empty text.

**Other methods.** ` + "`HEAD`" + ` is ` + "`GET`" + ` without the body. ` + "`OPTIONS`" + ` is a 204 with the path's methods in ` + "`Allow`" + `. A method that the path does not have is a 405 (` + "`METHOD_NOT_ALLOWED`" + `). An unknown path is a 404 (` + "`ROUTE_NOT_FOUND`" + `). Without a credential both are a 401.

**Examples.** ` + "`digate dev`" + ` accepts the examples of requests as they are, with the token ` + "`dev`" + `.`

// describe returns the document.
func describe(methods *contract.Contract, words *comments) (object, error) {
	d := &document{schemas: &schemas{comments: words, made: make(map[string]protoName)}}
	d.errorShapes()
	for _, m := range methods.Methods() {
		if m.FullName == gateway.BulkMethod {
			d.add(gateway.BulkPath, "post", d.bulk(m))
			continue
		}
		if m.Binding == nil {
			d.errs = append(d.errs, fmt.Errorf("%s has no REST form that this program knows", m.FullName))
			continue
		}
		d.add(m.Binding.Template(), strings.ToLower(m.Binding.Verb), d.operation(m))
	}
	d.add(openapi.PathJSON, "get", itself("getOpenAPI", "Returns this document as JSON", "application/json"))
	d.add(openapi.PathYAML, "get", itself("getOpenAPIAsYAML", "Returns this document as YAML", "application/yaml"))
	if err := errors.Join(append(d.errs, d.schemas.errs...)...); err != nil {
		return nil, err
	}
	return object{
		{"openapi", "3.1.0"},
		{"info", object{
			{"title", "digate"}, {"summary", "Diga's integration API, with outcomes, idempotency keys and bulk copies"},
			{"description", about}, {"version", "v1"},
		}},
		{"servers", []object{{{"url", "/"}, {"description", "The server that this document comes from"}}}},
		{"security", []object{{{"token", []string{}}}, {{"certificate", []string{}}}}},
		{"tags", []object{
			{{"name", tagTemplates}, {"description", "Integration templates, and copies of them"}},
			{{"name", tagIntegrations}, {"description", "The integrations of an account"}},
			{{"name", tagTools}, {"description", "What agents may call through an integration"}},
			{{"name", tagServer}, {"description", "The server itself"}},
		}},
		{"paths", d.paths},
		{"components", object{
			{"schemas", d.schemas.all},
			{"parameters", requestHeaders},
			{"headers", responseHeaders},
			{"responses", d.failures()},
			{"securitySchemes", object{
				{"token", object{{"type", "http"}, {"scheme", "bearer"}, {"description", "A token of Diga, which digate passes on. On a server with accounts it is the caller's own token, a JWT. `digate dev` takes any token."}}},
				{"certificate", object{{"type", "mutualTLS"}, {"description", "The caller's certificate, on a server with accounts that asks callers for one."}}},
			}},
		}},
	}, nil
}

type document struct {
	schemas *schemas
	paths   object
	errs    []error
}

// add adds an operation to its path.
func (d *document) add(path, verb string, operation object) {
	for i := range d.paths {
		if d.paths[i].name == path {
			item, _ := d.paths[i].value.(object)
			d.paths[i].value = item.with(verb, operation)
			return
		}
	}
	d.paths = d.paths.with(path, object{{verb, operation}})
}

// itself returns the operation that returns the document.
func itself(id, summary, contentType string) object {
	headers := headersOf("X-Request-Id", "ETag")
	return object{
		{"operationId", id}, {"tags", []string{tagServer}},
		{"summary", summary},
		{"description", summary + ". It needs no credential.\n\nOnly digate has this route."},
		{"security", []object{}},
		{"parameters", []object{{
			{"name", "If-None-Match"}, {"in", "header"}, {"description", "The `ETag` of the document that the caller has."},
			{"schema", object{{"type", "string"}}},
		}}},
		{"responses", object{
			{"200", object{
				{"description", "This document."}, {"headers", headers},
				{"content", object{{contentType, object{{"schema", object{{"type", "object"}, {"additionalProperties", true}}}}}}},
			}},
			{"304", object{{"description", "The caller has this document."}, {"headers", headers}}},
		}},
	}
}
