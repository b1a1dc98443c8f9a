package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
)

// setup finds what an integration still needs. It shows only names and no values, which
// may be secrets.
type setup struct {
	ctx         context.Context
	client      integrationv1.IntegrationServiceClient
	integration *integrationv1.Integration
	flags       []string // flags by which a command reaches the same server

	lines    []string // what is missing, and the command that sets it
	troubles []string // what could not be read
}

func (s *setup) find() {
	in := s.integration
	if in.GetAuthType() == integrationv1.AuthType_AUTH_TYPE_API_KEY && in.GetAuthKey() == "" {
		s.missing("api key", s.update("--auth-key-file", "FILE"))
	}
	unfilled := make(unfilled)
	if names := placeholders(in.GetBaseUrl()); names != nil {
		s.missing(inBrackets(names)+" in base_url", s.update("--base-url", "URL"))
		unfilled.add(names, false)
	}
	s.findInHeaders(unfilled)
	s.findInTools(unfilled)
	if len(s.lines)+len(s.troubles) == 0 {
		s.lines = append(s.lines, "missing: something that Diga does not name")
	}
	s.findGuide()
}

func (s *setup) missing(what, command string) {
	s.lines = append(s.lines, "missing: "+what+" -> "+command)
}

// update returns the command line that changes the integration.
func (s *setup) update(args ...string) string {
	return s.command(append([]string{"integrations", "update", s.integration.GetId()}, args...)...)
}

func (s *setup) command(args ...string) string {
	return term.ShellLine(slices.Concat(args, s.flags)...)
}

// findInHeaders looks for placeholders in headers. Its command names every header,
// because the new headers replace all of them. It asks for their values at a terminal,
// because they may be secrets.
func (s *setup) findInHeaders(unfilled unfilled) {
	var args []string
	headers := slices.Sorted(maps.Keys(s.integration.GetHeaders()))
	for _, name := range headers {
		args = append(args, "--header", name)
	}
	command := s.update(args...)
	if len(headers) > 1 {
		command += " (replaces all headers)"
	}
	for _, name := range headers {
		if names := placeholders(s.integration.GetHeaders()[name]); names != nil {
			s.missing(inBrackets(names)+" in the header "+name, command)
			unfilled.add(names, true)
		}
	}
}

// findInTools looks for placeholders in tools. Its command makes a new copy, which sets
// the values in all tools at once. It asks for possible secrets at a terminal.
func (s *setup) findInTools(unfilled unfilled) {
	id := s.integration.GetId()
	tools := toolsListCmd{IntegrationID: id, listFlags: listFlags{All: true}}
	all, err := tools.every(s.ctx, s.client, nil, nil)
	if err != nil {
		s.trouble("the tools, which may also have placeholders,", err)
	}
	where := make(map[string][]string)
	for _, t := range all.GetData() {
		for _, name := range toolPlaceholders(t.GetHttp()) {
			where[name] = append(where[name], t.GetHttp().GetName())
		}
		unfilled.add(toolPlaceholders(t.GetHttp()), false)
		unfilled.add(headerPlaceholders(t.GetHttp()), true)
	}
	if len(where) == 0 {
		return
	}
	args := []string{"copy", s.integration.GetSourceIntegrationTemplateId()}
	for _, name := range slices.Sorted(maps.Keys(unfilled)) {
		if !unfilled[name] {
			name += "=TEXT"
		}
		args = append(args, "--var", name)
	}
	command := s.command(args...) + " (a new copy; then " + s.command("integrations", "delete", id) + ")"
	if args[1] == "" {
		command = "UpdateTool, in gRPC or REST"
	}
	var what []string
	for _, name := range slices.Sorted(maps.Keys(where)) {
		slices.Sort(where[name])
		what = append(what, fmt.Sprintf("<<%s>> in the tool %s", name, strings.Join(where[name], ", in ")))
	}
	s.missing(strings.Join(what, "; "), command)
}

func (s *setup) findGuide() {
	template := s.integration.GetSourceIntegrationTemplateId()
	if template == "" {
		return
	}
	resp, err := s.client.GetTemplate(s.ctx, &integrationv1.GetTemplateRequest{TemplateId: template})
	if err != nil {
		s.trouble("the template, which may name a setup guide,", err)
	} else if guide := resp.GetTemplate().GetSetupGuideUrl(); guide != "" {
		s.lines = append(s.lines, "setup guide: "+guide)
	}
}

func (s *setup) trouble(what string, err error) {
	s.troubles = append(s.troubles, what+" could not be looked up: "+apierror.FromError(err).Message)
}

// toolPlaceholders returns the names of the placeholders in every part of a tool that is
// sent in its calls.
func toolPlaceholders(t *integrationv1.HttpTool) []string {
	names := make(map[string]bool)
	addPlaceholders(names, t.GetEndpointPath())
	addAll(names, headerPlaceholders(t))
	for _, p := range t.GetQuery() {
		placeholdersIn(p.GetFixedValue(), names)
	}
	for _, p := range t.GetPath() {
		addPlaceholders(names, p.GetFixedValue())
	}
	inBody(t.GetBody(), names)
	return slices.Sorted(maps.Keys(names))
}

func headerPlaceholders(t *integrationv1.HttpTool) []string {
	return placeholders(slices.Collect(maps.Values(t.GetHeaders()))...)
}

func inBody(params []*integrationv1.BodyParam, names map[string]bool) {
	for _, p := range params {
		placeholdersIn(p.GetFixedValue(), names)
		inBody(p.GetProperties(), names)
	}
}

// unfilled has the names of placeholders without a value, and whether the value may be a
// secret.
type unfilled map[string]bool

func (u unfilled) add(names []string, inHeader bool) {
	for _, name := range names {
		u[name] = u[name] || inHeader || secretName.MatchString(name)
	}
}

func inBrackets(names []string) string {
	return "<<" + strings.Join(names, ">>, <<") + ">>"
}

func addAll(set map[string]bool, names []string) {
	for _, name := range names {
		set[name] = true
	}
}
