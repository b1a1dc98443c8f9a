// Package preview computes what a copy of a template would be. Diga documents that
// `<<name>>` in a template is replaced by the variable of that name, and little more.
// Everything else that a preview assumes is listed as a caveat in it.
package preview

import (
	"errors"
	"maps"
	"slices"

	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// The limits of a preview: a short template can use a long value at many places.
const (
	// MaxSize is the maximum size of the text that replaces placeholders, in bytes.
	MaxSize = 4 << 20
	// MaxPlaces is the maximum number of places with placeholders.
	MaxPlaces = 10_000
)

// ErrTooLarge means that a preview would exceed the limits.
var ErrTooLarge = errors.New("the template with its variables is too large to be previewed")

// Of returns what a copy of the template would be. It does not modify the template and
// the request, but the preview shares parts of them.
func Of(t *integrationv1.IntegrationTemplate, req *integrationv1.PreviewCopyTemplateRequest) (*integrationv1.PreviewCopyTemplateResponse, error) {
	p := &preview{
		used:    make(map[string]bool),
		caveats: make(map[integrationv1.Caveat]bool),
		out: &integrationv1.PreviewCopyTemplateResponse{
			TemplateId: t.GetId(), Name: t.GetName(), SetupGuideUrl: t.SetupGuideUrl,
		},
	}
	p.variables, p.verbatim = variablesOf(req)
	if req.Name != nil {
		p.out.Name = req.GetName()
	}
	if t.TemplateJson != nil {
		p.caveats[integrationv1.Caveat_CAVEAT_NUMBER_LEFT_OUT] = true
	}
	p.fill(t.GetTemplate().GetFields(), req)
	if p.full() {
		return nil, ErrTooLarge
	}
	p.addNeeds(t.GetTemplate().GetFields(), req)
	p.addUnused()
	p.out.Caveats = slices.Sorted(maps.Keys(p.caveats))
	return p.out, nil
}

// preview is the state of making a preview.
type preview struct {
	variables map[string]*structpb.Value
	// verbatim are the texts of variables that are inserted unchanged.
	verbatim map[string]string
	// used are the names of the placeholders that were found.
	used    map[string]bool
	caveats map[integrationv1.Caveat]bool
	// size is the size of the text that replaced placeholders, in bytes.
	size int
	out  *integrationv1.PreviewCopyTemplateResponse
}

// fill adds the parts of the template, with their placeholders replaced, to the preview.
func (p *preview) fill(template map[string]*structpb.Value, req *integrationv1.PreviewCopyTemplateRequest) {
	for _, key := range slices.Sorted(maps.Keys(template)) {
		v := template[key]
		p.noteKey(key)
		if key == "base_url" && req.BaseUrl != nil {
			continue // the request's value is used
		}
		v = p.value(v, path{}.key(key))
		switch key {
		case "base_url":
			if text, ok := v.GetKind().(*structpb.Value_StringValue); ok {
				p.out.BaseUrl = &text.StringValue
			}
		case "headers":
			p.addHeaders(v.GetStructValue().GetFields())
		case "tools":
			for _, tool := range v.GetListValue().GetValues() {
				if tool.GetStructValue() == nil {
					p.caveats[integrationv1.Caveat_CAVEAT_TEMPLATE_SHAPE] = true
					continue
				}
				p.out.Tools = append(p.out.Tools, tool.GetStructValue())
			}
		}
	}
	if req.BaseUrl != nil {
		before := len(p.out.Placeholders)
		v := p.value(structpb.NewStringValue(req.GetBaseUrl()), path{}.key("base_url"))
		p.out.BaseUrl = new(v.GetStringValue())
		if len(p.out.Placeholders) > before {
			p.caveats[integrationv1.Caveat_CAVEAT_BASE_URL_REPLACED] = true
		}
	}
	if p.out.BaseUrl == nil || has(template["headers"]) && template["headers"].GetStructValue() == nil ||
		has(template["tools"]) && template["tools"].GetListValue() == nil {
		p.caveats[integrationv1.Caveat_CAVEAT_TEMPLATE_SHAPE] = true
	}
}

// full reports whether the preview exceeds the limits.
func (p *preview) full() bool { return p.size > MaxSize || len(p.out.Placeholders) > MaxPlaces }

// has reports whether there is a value other than null.
func has(v *structpb.Value) bool {
	_, null := v.GetKind().(*structpb.Value_NullValue)
	return v != nil && !null
}

func (p *preview) addHeaders(headers map[string]*structpb.Value) {
	p.out.Headers = make(map[string]string, len(headers))
	for name, v := range headers {
		text, ok := v.GetKind().(*structpb.Value_StringValue)
		if !ok {
			p.caveats[integrationv1.Caveat_CAVEAT_TEMPLATE_SHAPE] = true
			continue
		}
		p.out.Headers[name] = text.StringValue
	}
}

// addNeeds adds the template's type and key requirement, and what a copy would still
// need.
func (p *preview) addNeeds(template map[string]*structpb.Value, req *integrationv1.PreviewCopyTemplateRequest) {
	switch template["auth_type"].GetStringValue() {
	case "NONE":
		p.out.AuthType, p.out.ApiKey = integrationv1.AuthType_AUTH_TYPE_NONE, integrationv1.ApiKeyNeed_API_KEY_NEED_NONE
		if req.GetApiKey() != "" {
			p.caveats[integrationv1.Caveat_CAVEAT_API_KEY_NOT_NEEDED] = true
		}
	case "API_KEY":
		p.out.AuthType, p.out.ApiKey = integrationv1.AuthType_AUTH_TYPE_API_KEY, integrationv1.ApiKeyNeed_API_KEY_NEED_MISSING
		if req.GetApiKey() != "" {
			p.out.ApiKey = integrationv1.ApiKeyNeed_API_KEY_NEED_GIVEN
		}
	default:
		p.caveats[integrationv1.Caveat_CAVEAT_TEMPLATE_SHAPE] = true
	}
	switch template["integration_type"].GetStringValue() {
	case "HTTP":
		p.out.IntegrationType = integrationv1.IntegrationType_INTEGRATION_TYPE_HTTP
	case "MCP":
		p.out.IntegrationType = integrationv1.IntegrationType_INTEGRATION_TYPE_MCP
	default:
		p.caveats[integrationv1.Caveat_CAVEAT_TEMPLATE_SHAPE] = true
	}
	p.out.RequiresSetup = p.out.ApiKey == integrationv1.ApiKeyNeed_API_KEY_NEED_MISSING ||
		slices.ContainsFunc(p.out.Placeholders, func(h *integrationv1.Placeholder) bool {
			return h.GetState() == integrationv1.Placeholder_STATE_MISSING
		})
}

// Names returns the names of the placeholders in a template, sorted.
func Names(t *integrationv1.IntegrationTemplate) []string {
	p := &preview{used: make(map[string]bool), caveats: make(map[integrationv1.Caveat]bool), out: new(integrationv1.PreviewCopyTemplateResponse)}
	p.fill(t.GetTemplate().GetFields(), new(integrationv1.PreviewCopyTemplateRequest))
	return slices.Sorted(maps.Keys(p.used))
}
