package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// showPreview writes a preview. Text output is for people: it omits secrets.
func showPreview(w io.Writer, output string, p *integrationv1.PreviewCopyTemplateResponse) error {
	if output == client.OutputJSON {
		return client.PrintJSON(w, p)
	}
	var tools []string
	for _, tool := range p.GetTools() {
		tools = append(tools, tool.GetFields()["name"].GetStringValue())
	}
	err := term.WriteFields(w, [][2]string{
		{"template", p.GetTemplateId()},
		{"name", p.GetName()},
		{"base_url", p.GetBaseUrl()},
		{"integration_type", digajson.EnumText(p.GetIntegrationType())},
		{"auth_type", digajson.EnumText(p.GetAuthType())},
		{"api_key", apiKeyText(p.GetApiKey())},
		{"headers", strings.Join(slices.Sorted(maps.Keys(p.GetHeaders())), ", ")},
		{"tools", strings.Join(tools, ", ")},
		{"requires_setup", setupText(p.GetRequiresSetup())},
		{"setup_guide_url", p.GetSetupGuideUrl()},
	})
	if err != nil {
		return err
	}
	if len(p.GetPlaceholders()) > 0 {
		places := term.Table{{"PLACEHOLDER", "VALUE", "WHERE"}}
		for _, h := range p.GetPlaceholders() {
			places = append(places, []string{h.GetName(), placeholderText(h.GetState()), h.GetPath()})
		}
		fmt.Fprintln(w)
		if err := places.Write(w, term.Columns(w)); err != nil {
			return err
		}
	}
	var notes []string
	for _, unused := range p.GetUnusedVariables() {
		note := fmt.Sprintf("the variable %s is not used", unused.GetName())
		if near := unused.GetNearest(); near != "" {
			note += fmt.Sprintf("; did you mean %s?", near)
		}
		notes = append(notes, note)
	}
	for _, c := range p.GetCaveats() {
		notes = append(notes, "not documented by Diga: "+caveatText(c))
	}
	fmt.Fprintln(w)
	for _, note := range append(notes, "nothing was created") {
		if _, err := fmt.Fprintln(w, term.Printable(note)); err != nil {
			return err
		}
	}
	return nil
}

func setupText(required bool) string {
	return map[bool]string{true: "yes: a key or a placeholder's value is missing", false: "no"}[required]
}

func apiKeyText(need integrationv1.ApiKeyNeed) string {
	return map[integrationv1.ApiKeyNeed]string{
		integrationv1.ApiKeyNeed_API_KEY_NEED_NONE: "not needed", integrationv1.ApiKeyNeed_API_KEY_NEED_GIVEN: "given",
		integrationv1.ApiKeyNeed_API_KEY_NEED_MISSING: "missing",
	}[need]
}

func placeholderText(state integrationv1.Placeholder_State) string {
	return map[integrationv1.Placeholder_State]string{
		integrationv1.Placeholder_STATE_GIVEN: "given", integrationv1.Placeholder_STATE_MISSING: "missing",
		integrationv1.Placeholder_STATE_TYPE_MISMATCH: "does not fit",
	}[state]
}

// caveatText returns what a preview assumes.
func caveatText(c integrationv1.Caveat) string {
	switch c {
	case integrationv1.Caveat_CAVEAT_TEMPLATE_SHAPE:
		return "the shape of a template; this one differs from what digate knows"
	case integrationv1.Caveat_CAVEAT_PLACEHOLDER_KEPT:
		return "that a placeholder without a value stays as it is"
	case integrationv1.Caveat_CAVEAT_VALUE_AS_JSON:
		return "that a value that is no text is inserted as JSON"
	case integrationv1.Caveat_CAVEAT_BASE_URL_REPLACED:
		return "that placeholders in the given base URL are replaced"
	case integrationv1.Caveat_CAVEAT_PLACEHOLDER_NAME:
		return "which characters the name of a placeholder may have"
	case integrationv1.Caveat_CAVEAT_PLACEHOLDER_IN_KEY:
		return "that a placeholder in the name of a header or another key is not replaced"
	case integrationv1.Caveat_CAVEAT_NUMBER_LEFT_OUT:
		return "a part that digate cannot show, such as a number, and leaves out"
	case integrationv1.Caveat_CAVEAT_API_KEY_NOT_NEEDED:
		return "what an API key does for a template that needs none"
	default:
		return c.String()
	}
}
