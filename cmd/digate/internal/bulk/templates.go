package bulk

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/preview"
)

// maxTemplates bounds the templates that are remembered.
const maxTemplates = 1000

// templates reads each template once, and tells what copies of it would leave
// unfinished.
type templates struct {
	read func(ctx context.Context, id string) (*integrationv1.IntegrationTemplate, error)

	// known are the templates that were read, nil for one that does not exist.
	known map[string]*integrationv1.IntegrationTemplate
	// missing counts the rows without a template, unfinished the rows whose copy
	// would need setup, unresolved those with a placeholder that gets no value.
	missing, unfinished, unresolved int
}

// get returns a template, nil if there is none.
func (ts *templates) get(ctx context.Context, id string) (*integrationv1.IntegrationTemplate, error) {
	id = strings.ToLower(id)
	if t, ok := ts.known[id]; ok {
		return t, nil
	}
	t, err := ts.read(ctx, id)
	if err != nil && apierror.FromError(err).Code != codes.NotFound {
		return nil, err
	}
	if ts.known == nil || len(ts.known) >= maxTemplates {
		ts.known = make(map[string]*integrationv1.IntegrationTemplate)
	}
	ts.known[id] = t
	return t, nil
}

// check writes what the copy of a row would lack.
func (ts *templates) check(ctx context.Context, w io.Writer, r *row) error {
	t, err := ts.get(ctx, r.copy.GetTemplateId())
	if err != nil {
		return err
	}
	say := func(format string, args ...any) {
		fmt.Fprintf(w, "line %d: %s\n", r.line, term.Printable(fmt.Sprintf(format, args...)))
	}
	if t == nil {
		ts.missing++
		say("there is no template %s", r.copy.GetTemplateId())
		return nil
	}
	p, err := preview.Of(t, &integrationv1.PreviewCopyTemplateRequest{
		ApiKey: r.copy.ApiKey, BaseUrl: r.copy.BaseUrl, Variables: r.copy.GetVariables(),
	})
	if err != nil {
		say("%v", err)
		return nil
	}
	open := false
	told := make(map[string]bool)
	for _, h := range p.GetPlaceholders() {
		if h.GetState() == integrationv1.Placeholder_STATE_GIVEN {
			continue
		}
		open = true
		if told[h.GetName()] {
			continue
		}
		told[h.GetName()] = true
		what := "has no value"
		if h.GetState() == integrationv1.Placeholder_STATE_TYPE_MISMATCH {
			what = "has a value of a type that does not fit"
		}
		say("<<%s>> in %s %s", h.GetName(), h.GetPath(), what)
	}
	for _, unused := range p.GetUnusedVariables() {
		if near := unused.GetNearest(); near != "" {
			say("the variable %s is not used; did you mean %s?", unused.GetName(), near)
		} else {
			say("the variable %s is not used", unused.GetName())
		}
	}
	if p.GetApiKey() == integrationv1.ApiKeyNeed_API_KEY_NEED_MISSING {
		say("the api_key is missing")
	}
	if open {
		ts.unresolved++
	}
	if p.GetRequiresSetup() {
		ts.unfinished++
	}
	return nil
}

// templateTimeout bounds the reading of one template.
const templateTimeout = 30 * time.Second

// templates returns a reader of templates that connects when it reads the first.
func (c *Command) templates() (_ *templates, done func()) {
	var conn *connection
	read := func(ctx context.Context, id string) (*integrationv1.IntegrationTemplate, error) {
		if conn == nil {
			var err error
			if conn, err = connect(ctx, c.Flags); err != nil {
				return nil, err
			}
		}
		ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(ctx, conn.md), templateTimeout)
		defer cancel()
		resp, err := conn.client.GetTemplate(ctx, &integrationv1.GetTemplateRequest{TemplateId: id})
		return resp.GetTemplate(), err
	}
	return &templates{read: read}, func() {
		if conn != nil {
			conn.close()
		}
	}
}
