package integration

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/preview"
)

// The values of the setting unresolved.
const (
	unresolvedAllow  = "allow"
	unresolvedRefuse = "refuse"
)

// before returns the steps before a copy that need its template: for a copy with
// UNRESOLVED_REFUSE, the check for unresolved placeholders; for a marked copy without a
// name, the name of the template. The copies of a stream share the templates that they
// read. A single copy passes nil and reads its template once.
func (s *Service) before(req *integrationv1.CopyTemplateRequest, shared *templates) copies.Before {
	refuses := s.refuseUnresolved
	switch req.GetUnresolved() {
	case integrationv1.Unresolved_UNRESOLVED_ALLOW:
		refuses = false
	case integrationv1.Unresolved_UNRESOLVED_REFUSE:
		refuses = true
	}
	nameless := s.marked && req.Name == nil && s.atMostOnce(req)
	var before copies.Before
	if !refuses && !nameless {
		return before
	}
	if shared == nil {
		shared = &templates{read: s.readTemplate}
	}
	read := func(ctx context.Context) (*integrationv1.IntegrationTemplate, error) {
		t, err := shared.get(ctx, req.GetTemplateId())
		if err != nil {
			return nil, apierror.NotChecked(apierror.FromError(err))
		}
		return t, nil
	}
	if refuses {
		before.Check = func(ctx context.Context) error {
			t, err := read(ctx)
			if err != nil {
				return err
			}
			return resolved(t, req)
		}
	}
	if nameless {
		before.TemplateName = func(ctx context.Context) (string, error) {
			t, err := read(ctx)
			return t.GetName(), err
		}
	}
	return before
}

// resolved returns an error that names each variable of the template that is missing in
// the request or has an invalid value.
func resolved(t *integrationv1.IntegrationTemplate, req *integrationv1.CopyTemplateRequest) error {
	p, err := preview.Of(t, &integrationv1.PreviewCopyTemplateRequest{
		BaseUrl: req.BaseUrl, Variables: req.GetVariables(), VariablesJson: req.VariablesJson,
	})
	if errors.Is(err, preview.ErrTooLarge) {
		return apierror.PreviewTooLarge()
	}
	if err != nil {
		return err
	}
	places := make(map[string][]string)
	states := make(map[string]integrationv1.Placeholder_State)
	var names []string
	for _, h := range p.GetPlaceholders() {
		if h.GetState() == integrationv1.Placeholder_STATE_GIVEN {
			continue
		}
		if places[h.GetName()] == nil {
			names = append(names, h.GetName())
		}
		places[h.GetName()] = append(places[h.GetName()], h.GetPath())
		states[h.GetName()] = h.GetState()
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	violations := make([]apierror.Violation, len(names))
	for i, name := range names {
		v := apierror.Violation{
			Field: "variables." + name, Path: []any{"variables", name}, Reason: "PLACEHOLDER_MISSING",
			Description: "has no value, and is needed in " + shortList(places[name]),
		}
		if states[name] == integrationv1.Placeholder_STATE_TYPE_MISMATCH {
			v.Reason, v.Description = "PLACEHOLDER_TYPE", "has a value of a type that does not fit in "+shortList(places[name])
		}
		violations[i] = v
	}
	return apierror.InvalidRequest(violations...)
}

// shortList lists the first places for messages.
func shortList(places []string) string {
	const most = 3
	if len(places) <= most {
		return strings.Join(places, ", ")
	}
	return strings.Join(places[:most], ", ") + " and elsewhere"
}

const (
	// maxTemplates is the maximum number of templates that a stream caches. Each may be
	// as large as a response from Diga.
	maxTemplates = 16
	// templateAge is how long a stream uses a cached template.
	templateAge = time.Minute
)

// templates is a cache of templates for many copies of one caller.
type templates struct {
	read func(ctx context.Context, id string) (*integrationv1.IntegrationTemplate, error)

	mu   sync.Mutex
	byID map[string]*templateRead
}

// templateRead is a template that is being read or was read. Its results may be read once
// done is closed.
type templateRead struct {
	began    time.Time
	done     chan struct{}
	template *integrationv1.IntegrationTemplate
	err      error
}

// get returns a template that was read less than templateAge ago, or reads it. Failed
// reads are not cached.
func (ts *templates) get(ctx context.Context, id string) (*integrationv1.IntegrationTemplate, error) {
	id = strings.ToLower(id)
	ts.mu.Lock()
	t := ts.byID[id]
	mine := t == nil || time.Since(t.began) > templateAge
	if mine {
		t = &templateRead{began: time.Now(), done: make(chan struct{})}
		if ts.byID == nil || len(ts.byID) >= maxTemplates {
			ts.byID = make(map[string]*templateRead)
		}
		ts.byID[id] = t
	}
	ts.mu.Unlock()
	if mine {
		t.template, t.err = ts.read(ctx, id)
		if t.err != nil {
			ts.forget(id, t)
		}
		close(t.done)
		return t.template, t.err
	}
	select {
	case <-t.done:
	case <-ctx.Done():
		return nil, apierror.NotBegun(ctx.Err())
	}
	if t.err != nil && ctx.Err() == nil { // the failure may not apply to this copy
		return ts.read(ctx, id)
	}
	return t.template, t.err
}

func (ts *templates) forget(id string, t *templateRead) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.byID[id] == t {
		delete(ts.byID, id)
	}
}
