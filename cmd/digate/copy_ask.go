package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// askMissing asks for what a copy would lack: values of placeholders, and the API key.
// After an empty reply, the value stays missing, and the output of the copy says how to
// set it later.
func (c *copyCmd) askMissing(ctx context.Context, std term.IO, req *integrationv1.CopyTemplateRequest) error {
	lacking, err := c.lacking(ctx, std, req)
	if err != nil {
		return err
	}
	var asked []string
	for _, place := range lacking.GetPlaceholders() {
		name := place.GetName()
		if place.GetState() != integrationv1.Placeholder_STATE_MISSING || slices.Contains(asked, name) {
			continue
		}
		asked = append(asked, name)
		value, err := askValue(ctx, std, name, place.GetPath(), mayBeSecret(name, lacking.GetPlaceholders()))
		if err != nil {
			return fmt.Errorf("nothing was copied: %w", err)
		}
		if value == "" {
			continue
		}
		text, err := client.TextVariable(value)
		if err != nil {
			return err
		}
		if err := client.SetVariable(req, name, text); err != nil {
			return err
		}
	}
	if lacking.GetApiKey() != integrationv1.ApiKeyNeed_API_KEY_NEED_MISSING {
		return nil
	}
	key, err := term.AskSecret(ctx, std, "API key (not shown; Enter for later): ")
	if err != nil {
		return fmt.Errorf("nothing was copied: API key: %w", err)
	}
	if key != "" {
		req.ApiKey = &key
	}
	return nil
}

// lacking returns the preview of a copy. It uses a connection of its own, so that
// --timeout does not run while the person types.
func (c *copyCmd) lacking(ctx context.Context, std term.IO, req *integrationv1.CopyTemplateRequest) (*integrationv1.PreviewCopyTemplateResponse, error) {
	ctx, service, done, err := c.DialIntegrations(ctx, std, client.Reads)
	if err != nil {
		return nil, err
	}
	defer done()
	resp, err := service.PreviewCopyTemplate(ctx, previewOf(req))
	if err != nil {
		return nil, client.Fail(std.Err, c.Output, client.Reads, err)
	}
	return resp, nil
}

func askValue(ctx context.Context, std term.IO, name, where string, secret bool) (value string, err error) {
	if secret {
		value, err = term.AskSecret(ctx, std, fmt.Sprintf("%s, in %s (not shown; Enter for later): ", name, where))
	} else {
		value, err = term.AskText(ctx, std, fmt.Sprintf("%s, in %s (Enter for later): ", name, where))
	}
	if err != nil {
		return "", fmt.Errorf("%q: %w", name, err)
	}
	return value, nil
}

var (
	inHeaders  = regexp.MustCompile(`(^|\.)headers(\.|$)`)
	secretName = regexp.MustCompile(`(?i)key|token|secret|passw|auth|credential`)
)

// mayBeSecret reports whether the value of a placeholder may be a secret, because of its
// name or because it is in a header.
func mayBeSecret(name string, places []*integrationv1.Placeholder) bool {
	return secretName.MatchString(name) || slices.ContainsFunc(places, func(p *integrationv1.Placeholder) bool {
		return p.GetName() == name && inHeaders.MatchString(p.GetPath())
	})
}
