package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// comments are the comments of the contract, by the full names of their elements.
// Comments that apply only to gRPC are replaced (see restated).
type comments struct {
	text map[protoreflect.FullName]string
}

// restated are the descriptions of elements that differ between REST and gRPC.
var restated = map[protoreflect.FullName]string{
	"diga.integration.v1.CopyTemplateRequest.variables":        "The values of the template's `<<name>>` placeholders, by name. They may hold secrets. Diga gets every digit of a number.",
	"diga.integration.v1.Integration":                          "Connects agents to one third-party system. It holds where the system is and how to authenticate to it. Its tools are what agents may call there.",
	"diga.integration.v1.IntegrationTemplate.template":         "The integration as Diga keeps it, with `<<name>>` placeholders. Diga does not document its fields.",
	"diga.integration.v1.McpTool.parameters":                   "The JSON schema of the tool's parameters.",
	"diga.integration.v1.QueryParam.fixed_value":               "The value if it is fixed: a string, number or bool.",
	"diga.integration.v1.BodyParam.fixed_value":                "The value if it is fixed: a string, number or bool.",
	"diga.integration.v1.IntegrationService.UpdateIntegration": "Changes the fields of an integration that the body has. A field that is null, or an empty object, is cleared. Returns `NOT_FOUND` if there is no such integration.",
	"diga.integration.v1.IntegrationService.UpdateTool":        "Changes the fields of an HTTP tool that the body has. A field that is null, or an empty list or object, is cleared. Returns `NOT_FOUND` if there is no such tool.",
	"diga.integration.v1.IntegrationService.CreateIntegration": "Creates an integration that no template describes.\n\nDiga checks the credential of an MCP server while it creates the integration, and reads the server's tools. With an `Idempotency-Key` the integration is created at most once.",
	"diga.integration.v1.IntegrationService.CreateTool":        "Adds a tool to an HTTP integration. The tools of an MCP integration are described by its server and cannot be added. Returns `ALREADY_EXISTS` if the integration has a tool of that name. With an `Idempotency-Key` the tool is created at most once.",
	"diga.integration.v1.IntegrationService.CopyTemplate":      "Creates an integration, with its tools, from an integration template. Returns `NOT_FOUND` if there is no such template.\n\nWithout an `Idempotency-Key` a second request creates a second integration. With one the integration is created at most once.",
	"diga.integration.v1.IntegrationService.BulkCopyTemplate": "Copies many templates, several at a time. The body has a copy on each line. The response has a result for each copy, as soon as it is known and in no particular order, and a summary at the end. A copy that fails does not end the others. digate reads the whole body before it begins, and takes a bounded number of lines (`--bulk-rest-max-items`).\n\n" +
		"After a response that broke off, the caller sends the copies again, all of them or some. A copy that was made is not made again: its integration is returned.",
}

// readComments reads the comments in a descriptor set with source information.
func readComments(set []byte) (*comments, error) {
	var files descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(set, &files); err != nil {
		return nil, fmt.Errorf("the descriptor set: %w", err)
	}
	all, err := protodesc.NewFiles(&files)
	if err != nil {
		return nil, fmt.Errorf("the descriptor set: %w", err)
	}
	c := &comments{text: make(map[protoreflect.FullName]string)}
	all.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		c.messages(fd.Messages())
		c.enums(fd.Enums())
		for i := range fd.Services().Len() {
			sd := fd.Services().Get(i)
			for j := range sd.Methods().Len() {
				c.add(sd.Methods().Get(j))
			}
		}
		return true
	})
	for name := range restated {
		if c.text[name] == "" {
			return nil, fmt.Errorf("%s has a text for REST and is not in the contract, or has no comment there", name)
		}
	}
	return c, nil
}

func (c *comments) messages(all protoreflect.MessageDescriptors) {
	for i := range all.Len() {
		md := all.Get(i)
		c.add(md)
		for j := range md.Fields().Len() {
			c.add(md.Fields().Get(j))
		}
		c.messages(md.Messages())
		c.enums(md.Enums())
	}
}

func (c *comments) enums(all protoreflect.EnumDescriptors) {
	for i := range all.Len() {
		ed := all.Get(i)
		c.add(ed)
		for j := range ed.Values().Len() {
			c.add(ed.Values().Get(j))
		}
	}
}

func (c *comments) add(d protoreflect.Descriptor) {
	text := d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments
	if own, ok := restated[d.FullName()]; ok && text != "" {
		text = own
	}
	var paragraphs []string
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if paragraph = strings.Join(strings.Fields(paragraph), " "); paragraph != "" {
			paragraphs = append(paragraphs, paragraph)
		}
	}
	if text = strings.Join(paragraphs, "\n\n"); text != "" {
		c.text[d.FullName()] = text
	}
}

// inREST replaces gRPC's terms by those of REST.
var inREST = strings.NewReplacer("`NOT_FOUND`", "404", "`ALREADY_EXISTS`", "409", "Unset if", "Null if")

// withoutName returns the comment of a type as a description that is shown next to the
// type's name: "Tool is something" becomes "Something", and "Tool holds" becomes "Holds".
func withoutName(text string, name protoreflect.Name) string {
	rest, named := strings.CutPrefix(text, string(name)+" ")
	if !named {
		return text
	}
	rest = strings.TrimPrefix(rest, "is ")
	return strings.ToUpper(rest[:1]) + rest[1:]
}

// of returns the description of an element of the contract.
func (c *comments) of(d protoreflect.Descriptor) (string, error) {
	text := inREST.Replace(withoutName(c.text[d.FullName()], d.Name()))
	if text == "" {
		return "", fmt.Errorf("%s has no comment: run buf generate first", d.FullName())
	}
	for _, word := range []string{"_json`", "update_mask", "request_id", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED"} {
		if strings.Contains(text, word) {
			return "", fmt.Errorf("the comment of %s says %q, which REST does not have: give it a text for REST in comments.go", d.FullName(), word)
		}
	}
	return text, nil
}
