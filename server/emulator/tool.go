package emulator

import "slices"

func noTool(id string) *response {
	resp := refusal(404, "INTEGRATION_TOOL_NOT_FOUND", "There is no tool "+id+" in this integration")
	return &resp
}

func findTool(it integration, id string) int {
	return slices.IndexFunc(it.tools, func(t object) bool { return t.str("id") == id })
}

// maxTools bounds the tools of one integration.
const maxTools = 200

func (e *Emulator) listTools(c *call) response {
	it, refused := e.store.get(c.token, c.path["integration_id"])
	if refused != nil {
		return *refused
	}
	return paginate(c.query, it.tools, func(t object) string { return t.str("id") }, func(t object) object { return t })
}

func (e *Emulator) getTool(c *call) response {
	it, refused := e.store.get(c.token, c.path["integration_id"])
	if refused != nil {
		return *refused
	}
	i := findTool(it, c.path["tool_id"])
	if i < 0 {
		return *noTool(c.path["tool_id"])
	}
	return jsonResponse(200, it.tools[i])
}

func (e *Emulator) createTool(c *call) response {
	tool := append(object{{"id", nil}, {"type", "HTTP"}}, c.body...)
	_, refused := e.store.update(c.token, c.path["integration_id"], func(it integration, newID func() string) (integration, *response) {
		if refused := editable(it); refused != nil {
			return it, refused
		}
		if len(it.tools) >= maxTools {
			return it, e.store.full("tools of one integration")
		}
		if refused := duplicate(it, tool); refused != nil {
			return it, refused
		}
		tool = tool.with("id", newID())
		it.tools = append(slices.Clone(it.tools), tool)
		return it, nil
	})
	if refused != nil {
		return *refused
	}
	return jsonResponse(201, tool)
}

// updateTool changes what the body names. A null pre_speech is stored as the default,
// because pre_speech is never null in a response.
func (e *Emulator) updateTool(c *call) response {
	var tool object
	refused := e.changeTool(c, func(it integration, i int) (integration, *response) {
		tool = it.tools[i]
		for _, m := range c.body {
			if m.key == "pre_speech" && m.value == nil {
				m.value = "auto"
			}
			tool = tool.with(m.key, m.value)
		}
		it.tools = slices.Clone(it.tools)
		it.tools[i] = tool
		return it, duplicate(it, tool)
	})
	if refused != nil {
		return *refused
	}
	return jsonResponse(200, tool)
}

func (e *Emulator) deleteTool(c *call) response {
	refused := e.changeTool(c, func(it integration, i int) (integration, *response) {
		it.tools = slices.Delete(slices.Clone(it.tools), i, i+1)
		return it, nil
	})
	if refused != nil {
		return *refused
	}
	return response{status: 204}
}

// changeTool calls change with the index of the tool that the call names, and stores the result.
func (e *Emulator) changeTool(c *call, change func(it integration, i int) (integration, *response)) *response {
	_, refused := e.store.update(c.token, c.path["integration_id"], func(it integration, _ func() string) (integration, *response) {
		if refused := editable(it); refused != nil {
			return it, refused
		}
		i := findTool(it, c.path["tool_id"])
		if i < 0 {
			return it, noTool(c.path["tool_id"])
		}
		return change(it, i)
	})
	return refused
}

// approveTools sets the approval of several tools, or of none if one of them does not exist.
func (e *Emulator) approveTools(c *call) response {
	_, refused := e.store.update(c.token, c.path["integration_id"], func(it integration, _ func() string) (integration, *response) {
		it.tools = slices.Clone(it.tools)
		for _, v := range c.body.list("tools") {
			change := v.(object)
			i := findTool(it, change.str("tool_id"))
			if i < 0 {
				return it, noTool(change.str("tool_id"))
			}
			required, _ := change.get("approval_required")
			it.tools[i] = it.tools[i].with("approval_required", required)
		}
		return it, nil
	})
	if refused != nil {
		return *refused
	}
	return response{status: 204}
}

// editable returns a refusal for an MCP integration, whose tools are defined by its server.
func editable(it integration) *response {
	if it.kind == "HTTP" {
		return nil
	}
	resp := refusal(400, "INTEGRATION_TYPE", "The tools of MCP integration "+it.id+" come from its server")
	return &resp
}

// duplicate returns a refusal if another tool of the integration has the same name, or if two
// parameters of one kind have the same name.
func duplicate(it integration, tool object) *response {
	for _, t := range it.tools {
		if t.str("name") == tool.str("name") && t.str("id") != tool.str("id") {
			resp := refusal(409, "DUPLICATE_FIELD", "The integration already has a tool named '"+tool.str("name")+"'")
			return &resp
		}
	}
	for _, kind := range []string{"query", "body", "path"} {
		seen := map[string]bool{}
		for _, v := range tool.list(kind) {
			name := v.(object).str("name")
			if seen[name] {
				resp := refusal(409, "DUPLICATE_FIELD", "The tool has two "+kind+" parameters named '"+name+"'")
				return &resp
			}
			seen[name] = true
		}
	}
	return nil
}
