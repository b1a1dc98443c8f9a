package emulator

import (
	_ "embed"
	"fmt"
	"slices"
	"sync"
)

//go:embed catalogue.json
var catalogueJSON []byte

// catalogue returns the templates built in, newest first, which is the order of a default list.
var catalogue = sync.OnceValue(func() []object {
	v, err := decodeJSON(catalogueJSON)
	if err != nil {
		panic(fmt.Sprintf("emulator: catalogue.json: %v", err))
	}
	var list []object
	for _, t := range v.([]any) {
		list = append(list, t.(object))
	}
	return list
})

// findTemplate returns the template with this id, from the catalogue or the faults; nil if there is none.
func (e *Emulator) findTemplate(id string) object {
	for _, t := range e.store.catalogue() {
		if t.str("id") == id {
			return t
		}
	}
	if f := findFault(id); f != nil {
		return f.template()
	}
	return nil
}

// listTemplates lists the templates of one language. The faults have a language of their own.
func (e *Emulator) listTemplates(c *call) response {
	list := slices.Clone(e.store.catalogue())
	for i := range faults {
		list = append(list, faults[i].template())
	}
	list = keep(list, func(t object) bool { return t.str("language") == c.query.str("language") })
	slices.Reverse(list)
	return paginate(c.query, list, func(t object) string { return t.str("id") }, func(t object) object { return t })
}

func (e *Emulator) getTemplate(c *call) response {
	return e.withTemplate(c, func(t object) response { return jsonResponse(200, t) })
}

func (e *Emulator) copyTemplate(c *call) response {
	return e.withTemplate(c, func(t object) response {
		it, refused := e.store.create(c.token, instantiate(t, c.body))
		if refused != nil {
			return *refused
		}
		return jsonResponse(201, it.view())
	})
}

// withTemplate calls use with the template that the call names. If the template is a fault, the fault
// decides whether use is called.
func (e *Emulator) withTemplate(c *call, use func(object) response) response {
	id := c.path["template_id"]
	t := e.findTemplate(id)
	if t == nil {
		return refusal(404, "INTEGRATION_TEMPLATE_NOT_FOUND", "There is no integration template "+id)
	}
	if f := findFault(id); f != nil {
		return f.respond(e, c, func() response { return use(t) })
	}
	return use(t)
}

// instantiate returns the integration that a copy of the template with this body creates.
func instantiate(t, body object) integration {
	plan, values, source := t.sub("template"), body.sub("variables"), t.str("id")
	it := integration{
		name:        t.str("name"),
		description: t.text("description"),
		baseURL:     plan.str("base_url"),
		kind:        plan.str("integration_type"),
		needsKey:    plan.str("auth_type") == "API_KEY",
		authKey:     body.text("api_key"),
		source:      &source,
	}
	if name := body.text("name"); name != nil {
		it.name = *name
	}
	if base := body.text("base_url"); base != nil {
		it.baseURL = *base
	}
	it.baseURL = fill(it.baseURL, values).(string)
	it.headers = fill(plan.sub("headers"), values).(object)
	for _, v := range plan.list("tools") {
		it.tools = append(it.tools, fill(newTool(it.kind, v.(object)), values).(object))
	}
	return it
}

// newTool returns a template's tool with the defaults that the template leaves out. The id is not set yet.
func newTool(kind string, plan object) object {
	head := object{{"id", nil}, {"type", kind}}
	if kind == "MCP" {
		return append(head,
			member{"name", plan.str("name")},
			member{"description", plan.str("description")},
			member{"parameters", plan.sub("parameters")},
			member{"approval_required", false},
		)
	}
	var p problems
	whole, fine := createToolBody(&p, location{}, plan)
	if !fine {
		panic("emulator: tool " + plan.str("name") + ": " + string(p.entries))
	}
	return append(head, whole.(object)...)
}
