package emulator

import "time"

// integration is the state of one integration. Its slices and objects are never changed in place,
// so a copy of it may be read without a lock.
type integration struct {
	id, name    string
	description *string
	baseURL     string
	kind        string // HTTP or MCP
	needsKey    bool   // its template asks for a key
	authKey     *string
	headers     object // nil for null
	source      *string
	created     time.Time
	updated     time.Time
	tools       []object
}

func (it integration) hasKey() bool { return it.authKey != nil && *it.authKey != "" }

func (it integration) authType() string {
	if it.needsKey || it.hasKey() {
		return "API_KEY"
	}
	return "NONE"
}

// requiresSetup reports whether a key or a variable is missing.
func (it integration) requiresSetup() bool {
	if it.needsKey && !it.hasKey() || unfilled(it.baseURL) || unfilled(it.headers) {
		return true
	}
	for _, t := range it.tools {
		if unfilled(t) {
			return true
		}
	}
	return false
}

// view returns the integration as a response shows it.
func (it integration) view() object {
	return object{
		{"id", it.id},
		{"name", it.name},
		{"description", orNull(it.description)},
		{"base_url", it.baseURL},
		{"auth_type", it.authType()},
		{"integration_type", it.kind},
		{"auth_key", orNull(it.authKey)},
		{"headers", it.headers},
		{"requires_setup", it.requiresSetup()},
		{"source_integration_template_id", orNull(it.source)},
		{"created_at", timestamp(it.created)},
		{"updated_at", timestamp(it.updated)},
	}
}

// timestamp formats a UTC time as pydantic does: with six digits of microseconds, or without a fraction.
func timestamp(t time.Time) string {
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05Z")
	}
	return t.Format("2006-01-02T15:04:05.000000Z")
}

// size returns the approximate size of the integration as JSON. It returns a crash if the integration
// has no JSON form.
func (it integration) size() (int, *response) {
	b, err := appendJSON(nil, it.view())
	for _, t := range it.tools {
		if err == nil {
			b, err = appendJSON(b, t)
		}
	}
	if err != nil {
		resp := crash()
		return 0, &resp
	}
	return len(b), nil
}

func (it integration) export() Integration {
	out := Integration{
		ID: it.id, Name: it.name, Description: it.description, BaseURL: it.baseURL,
		AuthType: it.authType(), IntegrationType: it.kind, AuthKey: it.authKey,
		RequiresSetup: it.requiresSetup(), SourceTemplateID: it.source,
		CreatedAt: it.created, UpdatedAt: it.updated,
	}
	if it.headers != nil {
		out.Headers = map[string]string{}
		for _, m := range it.headers {
			out.Headers[m.key], _ = m.value.(string)
		}
	}
	for _, t := range it.tools {
		approval, _ := t.get("approval_required")
		out.Tools = append(out.Tools, Tool{
			ID: t.str("id"), Type: t.str("type"), Name: t.str("name"),
			EndpointPath: t.str("endpoint_path"), Method: t.str("method"), ApprovalRequired: approval == true,
		})
	}
	return out
}

func (e *Emulator) listIntegrations(c *call) response {
	list := e.store.integrations(c.token)
	if kind := c.query.text("integration_type"); kind != nil {
		list = keep(list, func(it integration) bool { return it.kind == *kind })
	}
	return paginate(c.query, list, func(it integration) string { return it.id }, integration.view)
}

func (e *Emulator) createIntegration(c *call) response {
	it, refused := e.store.create(c.token, integration{
		name:        c.body.str("name"),
		description: c.body.text("description"),
		baseURL:     c.body.str("base_url"),
		kind:        c.body.str("integration_type"),
		authKey:     c.body.text("auth_key"),
		headers:     c.body.sub("headers"),
	})
	if refused != nil {
		return *refused
	}
	return jsonResponse(201, it.view())
}

func (e *Emulator) getIntegration(c *call) response {
	it, refused := e.store.get(c.token, c.path["integration_id"])
	if refused != nil {
		return *refused
	}
	return jsonResponse(200, it.view())
}

// updateIntegration changes the fields in the body: an absent field stays, a null one is cleared.
func (e *Emulator) updateIntegration(c *call) response {
	it, refused := e.store.update(c.token, c.path["integration_id"], func(it integration, _ func() string) (integration, *response) {
		for _, m := range c.body {
			switch m.key {
			case "name":
				it.name = c.body.str("name")
			case "description":
				it.description = c.body.text("description")
			case "base_url":
				it.baseURL = c.body.str("base_url")
			case "auth_key":
				it.authKey = c.body.text("auth_key")
			case "headers":
				it.headers = c.body.sub("headers")
			}
		}
		it.updated = e.store.now()
		return it, nil
	})
	if refused != nil {
		return *refused
	}
	return jsonResponse(200, it.view())
}

func (e *Emulator) deleteIntegration(c *call) response {
	if refused := e.store.remove(c.token, c.path["integration_id"]); refused != nil {
		return *refused
	}
	return response{status: 204}
}
