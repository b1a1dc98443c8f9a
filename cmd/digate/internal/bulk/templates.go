package bulk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/preview"
)

// maxTemplates bounds the templates that are read. The copies of further ones are
// not checked.
const maxTemplates = 1000

// templates reads each template once, and tells what copies of it would leave
// unfinished.
type templates struct {
	read  func(ctx context.Context, id string) (*integrationv1.IntegrationTemplate, error)
	warn  func(string)
	sends bool // rows that are not checked are sent
	// mayLack says what copies may lack without being unfinished.
	mayLack struct{ values, keys bool }

	// known are the templates that were read, nil for one that does not exist.
	known map[string]*integrationv1.IntegrationTemplate
	// unread are templates that could not be read.
	unread map[string]bool
	full   bool
	rows   int
	// missing counts the rows without a template, unfinished the rows whose copy
	// would need setup, unresolved those with a placeholder that gets no value,
	// unchecked those whose template could not be read.
	missing, unfinished, unresolved, unchecked int
}

// get returns a template, nil if there is none. It is not ok if nobody knows.
func (ts *templates) get(ctx context.Context, id string) (t *integrationv1.IntegrationTemplate, ok bool, err error) {
	id = strings.ToLower(id)
	if t, ok := ts.known[id]; ok {
		return t, true, nil
	}
	if ts.unread[id] {
		return nil, false, nil
	}
	if len(ts.known)+len(ts.unread) >= maxTemplates {
		if !ts.full {
			ts.full = true
			ts.warn(fmt.Sprintf("more than %d templates: the copies of the others are not checked beforehand", maxTemplates))
		}
		return nil, false, nil
	}
	t, err = ts.read(ctx, id)
	if err != nil && ctx.Err() != nil {
		return nil, false, errInterrupted
	}
	_, isStatus := status.FromError(err)
	switch e := apierror.FromError(err); {
	case err == nil:
	case !isStatus || e.Code == codes.Unauthenticated:
		return nil, false, err
	case e.Code == codes.NotFound && e.Domain == apierror.DomainDiga:
		t = nil
	default:
		ts.unread[id] = true
		ts.warn(fmt.Sprintf("the template %s could not be read:\n%s\n%s", id, term.Printable(whatFailed(e)), ts.advice()))
		return nil, false, nil
	}
	ts.known[id] = t
	return t, true, nil
}

// whatFailed says what went wrong at Diga. Its own message may be "Something went
// wrong".
func whatFailed(e *apierror.Error) string {
	if e.Domain == apierror.DomainDiga && e.HTTPStatus > 0 {
		return fmt.Sprintf("Diga failed with HTTP %d (%s)", e.HTTPStatus, strings.TrimSuffix(e.Message, "."))
	}
	return e.Message
}

// advice says what becomes of rows whose template could not be read.
func (ts *templates) advice() string {
	if ts.sends {
		return "Its rows are sent without a look at what they lack; the results will say."
	}
	return "Its rows are not checked: try --dry-run once more in a while."
}

// check notes what the copy of a row would lack, and returns what makes it
// unfinished.
func (ts *templates) check(ctx context.Context, found *findings, r *row) (lacks []string, err error) {
	ts.rows++
	t, ok, err := ts.get(ctx, r.copy.GetTemplateId())
	if err != nil {
		return nil, err
	}
	if !ok {
		ts.unchecked++
		return nil, nil
	}
	say := func(format string, args ...any) { found.add(r.line, fmt.Sprintf(format, args...)) }
	if t == nil {
		ts.missing++
		say("there is no template %s", r.copy.GetTemplateId())
		return nil, nil
	}
	p, err := preview.Of(t, &integrationv1.PreviewCopyTemplateRequest{
		ApiKey: r.copy.ApiKey, BaseUrl: r.copy.BaseUrl, Variables: r.copy.GetVariables(), VariablesJson: r.copy.VariablesJson,
	})
	if err != nil {
		say("%v", err)
		return nil, nil
	}
	unresolved, unset := sayUnresolved(p, say)
	for _, unused := range p.GetUnusedVariables() {
		if near := unused.GetNearest(); near != "" {
			say("the variable %s is not used; did you mean %s?", unused.GetName(), near)
		} else {
			say("the variable %s is not used", unused.GetName())
		}
	}
	noKey := p.GetApiKey() == integrationv1.ApiKeyNeed_API_KEY_NEED_MISSING
	if noKey {
		say("the api_key is missing")
	}
	if unresolved {
		ts.unresolved++
	}
	if p.GetRequiresSetup() {
		ts.unfinished++
	}
	if noKey && !ts.mayLack.keys {
		lacks = append(lacks, "api key")
	}
	if !ts.mayLack.values {
		lacks = append(lacks, slices.Sorted(maps.Keys(unset))...)
	}
	return lacks, nil
}

// sayUnresolved says which placeholders would stay in the copy. unset are those that
// have no value at all.
func sayUnresolved(p *integrationv1.PreviewCopyTemplateResponse, say func(format string, args ...any)) (unresolved bool, unset map[string]bool) {
	unset = make(map[string]bool)
	told := make(map[string]bool)
	for _, h := range p.GetPlaceholders() {
		if h.GetState() == integrationv1.Placeholder_STATE_GIVEN || told[h.GetName()] {
			continue
		}
		told[h.GetName()] = true
		what := "has no value"
		if h.GetState() == integrationv1.Placeholder_STATE_TYPE_MISMATCH {
			what = "has a value of a type that does not fit"
		} else {
			unset["<<"+h.GetName()+">>"] = true
		}
		say("<<%s>> in %s %s", h.GetName(), h.GetPath(), what)
	}
	return len(told) > 0, unset
}

// nameOfCopy returns the name that the copy of a row gets. It is empty if nobody knows.
func (ts *templates) nameOfCopy(r *row) string {
	if r.copy.Name != nil {
		return r.copy.GetName()
	}
	if ts == nil {
		return ""
	}
	return ts.known[strings.ToLower(r.copy.GetTemplateId())].GetName()
}

// templateTimeout bounds the reading of one template.
const templateTimeout = 30 * time.Second

// templates returns a reader of templates over the connection that dial returns.
func (c *Command) templates(dial func(context.Context) (*connection, error), warn func(string)) *templates {
	read := func(ctx context.Context, id string) (*integrationv1.IntegrationTemplate, error) {
		conn, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(ctx, conn.md), templateTimeout)
		defer cancel()
		resp, err := conn.client.GetTemplate(ctx, &integrationv1.GetTemplateRequest{TemplateId: id})
		return resp.GetTemplate(), err
	}
	ts := &templates{read: read, warn: warn, known: make(map[string]*integrationv1.IntegrationTemplate), unread: make(map[string]bool), sends: !c.DryRun}
	ts.mayLack.keys = c.Unfinished == unfinishedAllow
	// The server refuses the rows one by one with --unresolved=refuse.
	ts.mayLack.values = c.Unfinished == unfinishedAllow || c.Unresolved != ""
	return ts
}
