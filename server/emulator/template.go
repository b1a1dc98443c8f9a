package emulator

import (
	_ "embed"
	"fmt"
	"slices"
	"sync"
)

//go:embed catalogue.json
var catalogueJSON []byte

// catalogue is the embedded templates, in the order of a default list: newest first.
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

// findTemplate looks among the catalogue and the faults.
func findTemplate(id string) object {
	for _, t := range catalogue() {
		if t.str("id") == id {
			return t
		}
	}
	if f := findFault(id); f != nil {
		return f.template()
	}
	return nil
}

// listTemplates lists one language of the catalogue; the faults are a language of their own.
func (e *Emulator) listTemplates(c *call) answer {
	list := slices.Clone(catalogue())
	for i := range faults {
		list = append(list, faults[i].template())
	}
	list = keep(list, func(t object) bool { return t.str("language") == c.query.str("language") })
	slices.Reverse(list)
	return paginate(c.query, list, func(t object) string { return t.str("id") }, func(t object) object { return t })
}

func (e *Emulator) getTemplate(c *call) answer {
	return e.withTemplate(c, func(t object) answer { return jsonAnswer(200, t) })
}

func (e *Emulator) copyTemplate(c *call) answer {
	return e.withTemplate(c, func(t object) answer {
		it, refused := e.store.create(c.token, instantiate(t, c.body))
		if refused != nil {
			return *refused
		}
		return jsonAnswer(201, it.view())
	})
}

// withTemplate calls use with the template that the call names, by way of its fault if it is one.
func (e *Emulator) withTemplate(c *call, use func(object) answer) answer {
	id := c.path["template_id"]
	t := findTemplate(id)
	if t == nil {
		return refusal(404, "INTEGRATION_TEMPLATE_NOT_FOUND", "There is no integration template "+id)
	}
	if f := findFault(id); f != nil {
		return f.play(e, c, func() answer { return use(t) })
	}
	return use(t)
}

// instantiate makes an integration of a template and the body of a copy.
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

// newTool completes a template's tool, which leaves out what is at its default. Its id is to follow.
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
		panic("emulator: catalogue.json: tool " + plan.str("name") + ": " + string(p.entries))
	}
	return append(head, whole.(object)...)
}
