package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/openapi"
)

const about = `Diga's integration API as digate serves it over REST. A client of Diga's works with digate under another base URL: a response is Diga's own body, byte for byte, wherever Diga gave one. The routes that are digate's alone are marked so.

**Failures.** Every failure has the header ` + "`Digate-Outcome`" + `: ` + "`NOT_SENT`" + ` (nothing was sent to Diga), ` + "`REJECTED`" + ` (Diga refused it and did nothing), ` + "`UNKNOWN`" + ` (it may have been done) or ` + "`DONE`" + ` (it was done before, and cannot be shown). Its body has one of Diga's two shapes: the envelope, or a list of the values that are refused. Diga's own error statuses are passed on, also those that no operation names.

**At most once.** A request that creates something, and has an ` + "`Idempotency-Key`" + `, is sent to Diga at most once, however often it is repeated. After a failure with the outcome ` + "`UNKNOWN`" + `, a request without a key must not be repeated unless two are acceptable.

**JSON.** A key that is null counts as absent in a request, except in a ` + "`PATCH`" + `, where null clears the field. Unknown keys are ignored. A response may have more keys than are described here, and lacks the value of none that is required, unless Diga itself departs from its contract or its response broke off: then the fields that did not arrive are null.

**Other methods.** ` + "`HEAD`" + ` is ` + "`GET`" + ` without the body. ` + "`OPTIONS`" + ` is a 204 with the path's methods in ` + "`Allow`" + `. A method that a path does not have is a 405 with ` + "`METHOD_NOT_ALLOWED`" + ` and ` + "`Allow`" + `, and an unknown path a 404 with ` + "`ROUTE_NOT_FOUND`" + `; without a credential both are a 401.`

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
	d.add(openapi.PathJSON, "get", itself("getOpenAPI", "application/json", object{{"type", "object"}}))
	d.add(openapi.PathYAML, "get", itself("getOpenAPIAsYAML", "application/yaml", object{{"type", "string"}}))
	if err := errors.Join(append(d.errs, d.schemas.errs...)...); err != nil {
		return nil, err
	}
	return object{
		{"openapi", "3.1.0"},
		{"info", object{
			{"title", "digate"}, {"summary", "Diga's integration API, with outcomes, idempotency and bulk"},
			{"description", about}, {"version", "v1"},
		}},
		{"servers", []object{{{"url", "/"}, {"description", "The server that this document was read from"}}}},
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
				{"token", object{{"type", "http"}, {"scheme", "bearer"}, {"description", "Diga's token, which digate passes on. On a server with accounts it is the caller's own token, a JWT. `digate dev` takes any token."}}},
				{"certificate", object{{"type", "mutualTLS"}, {"description", "The caller's certificate, on a server with accounts that asks for one."}}},
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

// itself returns the operation by which the document is read.
func itself(id, contentType string, schema object) object {
	headers := headersOf("X-Request-Id", "ETag")
	return object{
		{"operationId", id}, {"tags", []string{tagServer}},
		{"summary", "Returns this document"},
		{"description", "digate's own route. It needs no credential."},
		{"security", []object{}},
		{"parameters", []object{{
			{"name", "If-None-Match"}, {"in", "header"}, {"description", "The `ETag` of the document that the caller has."},
			{"schema", object{{"type", "string"}}},
		}}},
		{"responses", object{
			{"200", object{
				{"description", "This document."}, {"headers", headers},
				{"content", object{{contentType, object{{"schema", schema}}}}},
			}},
			{"304", object{{"description", "The caller has this document."}, {"headers", headers}}},
		}},
	}
}
