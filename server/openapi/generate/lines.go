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

// closed returns the schema of an object whose members are all required.
func closed(description string, properties object) object {
	var names []string
	for _, p := range properties {
		names = append(names, p.name)
	}
	return object{{"type", "object"}, {"description", description}, {"required", names}, {"properties", properties}}
}

// failedLine returns the members of a line for an error.
func failedLine() object {
	return object{
		{"outcome", ref("schemas", "Outcome")},
		{"http_status", object{{"type", "integer"}, {"minimum", 400}, {"maximum", 599}, {"description", "The status that a response of its own would have."}}},
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
			{"description", "Identifies the copy among the caller's copies: 1 to 255 printable ASCII characters. It is what the header `Idempotency-Key` is elsewhere. Each line has its own."},
		}},
		member{"unresolved", object{
			{"type", []string{"string", "null"}}, {"enum", []any{"ALLOW", "REFUSE", "allow", "refuse", nil}},
			{"description", "What happens if placeholders of the template get no value. It is what the header `Digate-Unresolved` is elsewhere."},
		}})
	copyLine := d.schemas.add("BulkCopy", object{
		{"type", "object"}, {"description", "One copy."}, {"required", []string{"template_id", "request_id"}}, {"properties", properties},
	})
	integration := d.schemas.message((*integrationv1.Integration)(nil).ProtoReflect().Descriptor())
	line := object{{"type", "integer"}, {"minimum", 1}, {"description", "The line of the request, from 1."}}
	id := text("The `request_id` of the copy. Absent if the line has none.")
	done := d.schemas.add("BulkDone", object{
		{"type", "object"}, {"description", "A copy that has an integration."},
		{"required", []string{"line", "request_id", "integration", "outcome"}},
		{"properties", object{
			{"line", line}, {"request_id", text("The `request_id` of the copy.")},
			{"replayed", object{{"type", "boolean"}, {"const", true}, {"description", "True if an earlier request created the integration. Absent otherwise."}}},
			{"integration", integration},
			{"outcome", object{{"type", "string"}, {"const", "DONE"}, {"description", "The copy is made."}}},
		}},
	})
	failed := d.schemas.add("BulkFailure", object{
		{"type", "object"}, {"description", "A copy that failed. Without `line` it is the failure that ended the whole request."},
		{"required", []string{"outcome", "http_status", "error"}},
		{"properties", append(object{{"line", line}, {"request_id", id}}, failedLine()...)},
	})
	summary := d.schemas.add("BulkSummary", closed("The last line. Each copy has had its result.", object{{"summary", closed("How many copies there were, by their result.", object{
		{"total", count("How many copies were asked for.")},
		{"done", count("How many copies have an integration.")},
		{"replayed", count("How many of `done` have an integration that an earlier request created.")},
		{"not_sent", count("How many copies failed and were not sent to Diga.")},
		{"rejected", count("How many copies Diga refused. It created nothing.")},
		{"unknown", count("How many copies failed and may have created an integration.")},
	})}}))
	return append(d.head(m),
		member{"parameters", references("parameters", everywhere)},
		member{"requestBody", object{
			{"description", "Newline-delimited JSON: each line is one JSON object of this schema. Empty lines are skipped. An empty body copies nothing."},
			{"content", object{{lines, object{{"schema", copyLine}, {"example", bulkExample}}}}},
		}},
		member{"responses", append(object{{"200", object{
			{"description", "Newline-delimited JSON: each line is one JSON object of this schema. A response without a summary at its end was cut short."},
			{"headers", headersOf("X-Request-Id", "Preference-Applied")},
			{"content", object{{lines, object{{"schema", object{{"oneOf", []object{done, failed, summary}}}}}}}},
		}}}, bulkFailures()...)})
}
