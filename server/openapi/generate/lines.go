package main

import (
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/digajson"
)

func text(description string) object {
	return object{{"type", "string"}, {"description", description}}
}

func count(description string) object {
	return object{{"type", "integer"}, {"format", "int64"}, {"minimum", 0}, {"description", description}}
}

// closed returns the schema of an object in which all members are required.
func closed(description string, properties object) object {
	var names []string
	for _, p := range properties {
		names = append(names, p.name)
	}
	return object{{"type", "object"}, {"description", description}, {"required", names}, {"properties", properties}}
}

// failedLine returns the members of a line that is a failure.
func failedLine() object {
	return object{
		{"outcome", ref("schemas", "Outcome")},
		{"http_status", object{{"type", "integer"}, {"minimum", 400}, {"maximum", 599}, {"description", "The status that a response with this failure has."}}},
		{"error", ref("schemas", "Error")},
	}
}

// streamLine returns the schema of a line in the response of a streaming method.
func (d *document) streamLine(m *contract.Method) object {
	item := d.schemas.message(m.Descriptor.Output())
	return object{{"oneOf", []object{item, ref("schemas", "StreamSummary"), ref("schemas", "StreamFailure")}}}
}

// bulk returns the operation of bulk requests, whose lines the gateway reads and writes
// itself.
func (d *document) bulk(m *contract.Method) object {
	request := (*integrationv1.CopyTemplateRequest)(nil).ProtoReflect().Descriptor()
	var properties object
	for i := range request.Fields().Len() {
		if fd := request.Fields().Get(i); !digajson.FacadeOnly(fd) {
			properties = properties.with(string(fd.Name()), d.schemas.field(fd, mayBeNull(fd)))
		}
	}
	properties = append(properties,
		member{"request_id", object{
			{"type", "string"}, {"pattern", "^[ -~]{1,255}$"},
			{"description", "Identifies the copy among its caller's copies, as the header `Idempotency-Key` does elsewhere. Each line has another one."},
		}},
		member{"unresolved", object{
			{"type", []string{"string", "null"}}, {"enum", []any{"ALLOW", "REFUSE", "allow", "refuse", nil}},
			{"description", "What happens if placeholders of the template get no value, as the header `Digate-Unresolved` says elsewhere."},
		}})
	copyLine := d.schemas.add("BulkCopy", object{
		{"type", "object"}, {"description", "One copy."}, {"required", []string{"template_id", "request_id"}}, {"properties", properties},
	})
	integration := d.schemas.message((*integrationv1.Integration)(nil).ProtoReflect().Descriptor())
	line := object{{"type", "integer"}, {"minimum", 1}, {"description", "The line of the request, from 1."}}
	id := text("The `request_id` of the copy. It is absent if the line has none.")
	done := d.schemas.add("BulkDone", object{
		{"type", "object"}, {"description", "A copy that has an integration."},
		{"required", []string{"line", "request_id", "integration", "outcome"}},
		{"properties", object{
			{"line", line}, {"request_id", text("The `request_id` of the copy.")},
			{"replayed", object{{"type", "boolean"}, {"const", true}, {"description", "An earlier request created the integration. Absent otherwise."}}},
			{"integration", integration},
			{"outcome", object{{"type", "string"}, {"const", "DONE"}, {"description", "It is done."}}},
		}},
	})
	failed := d.schemas.add("BulkFailure", object{
		{"type", "object"}, {"description", "A copy that failed, or, without `line`, the failure that ended the whole request."},
		{"required", []string{"outcome", "http_status", "error"}},
		{"properties", append(object{{"line", line}, {"request_id", id}}, failedLine()...)},
	})
	summary := d.schemas.add("BulkSummary", closed("The last line: each copy has its result.", object{{"summary", closed("How many copies have which result.", object{
		{"total", count("The copies that were asked for.")},
		{"done", count("The copies that have an integration.")},
		{"replayed", count("The copies of `done` whose integration an earlier request created.")},
		{"not_sent", count("The failures of copies that were not sent to Diga.")},
		{"rejected", count("The failures that Diga responded with, having done nothing.")},
		{"unknown", count("The failures of copies that may have created an integration.")},
	})}}))
	return append(d.head(m),
		member{"parameters", references("parameters", everywhere)},
		member{"requestBody", object{
			{"required", true}, {"description", "Newline-delimited JSON: each line is one JSON object of this schema. Empty lines are skipped."},
			{"content", object{{lines, object{{"schema", copyLine}, {"example", bulkExample}}}}},
		}},
		member{"responses", append(object{{"200", object{
			{"description", "Newline-delimited JSON: each line is one JSON object of this schema. A response without a summary at its end was cut short."},
			{"headers", headersOf("X-Request-Id", "Preference-Applied")},
			{"content", object{{lines, object{{"schema", object{{"oneOf", []object{done, failed, summary}}}}}}}},
		}}}, bulkFailures()...)})
}
