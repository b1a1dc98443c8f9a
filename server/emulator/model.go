package emulator

// field is one attribute of a request model or one query parameter.
type field struct {
	name     string
	check    checker
	required bool
	fallback any // the value of an absent field
}

func required(name string, check checker) field { return field{name, check, true, nil} }

func optional(name string, check checker, fallback any) field {
	return field{name, check, false, fallback}
}

// model returns a checker for an object with these fields; other fields are ignored. The checker's
// result has all fields in this order, absent ones with their fallback.
func model(fields ...field) checker { return modelOf(fields, true) }

// patch returns a checker like model's, whose result has only the fields that are present.
func patch(fields ...field) checker { return modelOf(fields, false) }

func modelOf(fields []field, complete bool) checker {
	return func(p *problems, at location, in any) (any, bool) {
		o, ok := in.(object)
		if !ok {
			p.add("model_attributes_type", at, "Input should be a valid dictionary or object to extract fields from", in, nil)
			return nil, false
		}
		out := object{}
		ok = p.known(at, o, fields)
		for _, f := range fields {
			v, present := o.get(f.name)
			switch {
			case present:
				read, fine := f.check(p, at.at(f.name), v)
				out, ok = append(out, member{f.name, read}), ok && fine
			case f.required:
				p.add("missing", at.at(f.name), "Field required", in, nil)
				ok = false
			case complete:
				out = append(out, member{f.name, f.fallback})
			}
		}
		return out, ok
	}
}

// The request bodies of the contract, in its order of fields.
var (
	integrationType = oneOf("enum", "HTTP", "MCP")
	stringMap       = dictOf(anyString)

	copyBody = model(
		optional("name", nullable(anyString), nil),
		optional("api_key", nullable(anyString), nil),
		optional("base_url", nullable(anyString), nil),
		optional("variables", nullable(dictOf(nil)), nil),
	)
	createIntegrationBody = model(
		required("name", anyString),
		optional("description", nullable(anyString), nil),
		required("base_url", anyString),
		required("integration_type", integrationType),
		optional("auth_key", nullable(anyString), nil),
		optional("headers", nullable(stringMap), nil),
	)
	updateIntegrationBody = patch(
		optional("name", anyString, nil),
		optional("description", nullable(anyString), nil),
		optional("base_url", anyString, nil),
		optional("auth_key", nullable(anyString), nil),
		optional("headers", nullable(stringMap), nil),
	)
	createToolBody = model(
		required("name", anyString),
		required("description", anyString),
		required("endpoint_path", anyString),
		optional("query", nullable(listOf(queryParam, 0)), []any{}),
		optional("body", nullable(listOf(bodyParam, 0)), []any{}),
		optional("path", nullable(listOf(pathParam, 0)), []any{}),
		optional("headers", nullable(stringMap), nil),
		required("method", httpMethod),
		optional("timeout", nullable(anyInteger), 5),
		optional("approval_required", anyBoolean, false),
		optional("execution_audio", nullable(executionAudio), nil),
		optional("pre_speech", preSpeech, "auto"),
	)
	updateToolBody = patch(
		optional("name", anyString, nil),
		optional("description", anyString, nil),
		optional("endpoint_path", nullable(anyString), nil),
		optional("query", nullable(listOf(queryParam, 0)), nil),
		optional("body", nullable(listOf(bodyParam, 0)), nil),
		optional("path", nullable(listOf(pathParam, 0)), nil),
		optional("headers", nullable(stringMap), nil),
		optional("method", httpMethod, nil),
		optional("timeout", nullable(anyInteger), nil),
		optional("approval_required", anyBoolean, nil),
		optional("execution_audio", nullable(executionAudio), nil),
		optional("pre_speech", nullable(preSpeech), nil),
	)
	toolApprovalBody = model(
		required("tools", listOf(model(
			required("tool_id", anyUUID),
			required("approval_required", anyBoolean),
		), 1)),
	)
)

// The parts of a tool.
var (
	httpMethod     = oneOf("enum", "GET", "POST", "PUT", "DELETE", "PATCH")
	executionAudio = oneOf("enum", "waiting_music", "typing")
	preSpeech      = oneOf("literal_error", "auto", "force")
	valueSource    = oneOf("enum", "llm", "fixed", "dynamic")

	queryParam = model(
		required("name", anyString),
		required("data_type", oneOf("enum", "string", "integer", "number", "boolean")),
		optional("description", nullable(anyString), nil),
		optional("required", anyBoolean, true),
		optional("value_source", valueSource, "llm"),
		optional("fixed_value", scalar, nil),
	)
	pathParam = model(
		required("name", anyString),
		optional("description", nullable(anyString), nil),
		optional("required", anyBoolean, true),
		optional("value_source", valueSource, "llm"),
		optional("fixed_value", nullable(anyString), nil),
	)
)

var bodyDataType = oneOf("enum", "string", "integer", "number", "boolean", "object")

// bodyParam checks a body parameter. An object has properties, which are body parameters themselves.
func bodyParam(p *problems, at location, in any) (any, bool) {
	return model(
		required("name", anyString),
		required("data_type", bodyDataType),
		optional("description", nullable(anyString), nil),
		optional("required", anyBoolean, true),
		optional("value_source", valueSource, "llm"),
		optional("fixed_value", scalar, nil),
		optional("properties", nullable(listOf(bodyParam, 0)), nil),
	)(p, at, in)
}
