package copies_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

const (
	template = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
	another  = "11111111-0d44-4b50-8888-8dd25736052a"
)

var (
	claimed = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	record  = ledger.Record{ParentID: template, State: ledger.Unknown, ClaimedAt: claimed}
)

// made returns an integration that was created the given time after the claim.
func made(id, source string, after time.Duration) *integrationv1.Integration {
	in := &integrationv1.Integration{Id: id, CreatedAt: timestamppb.New(claimed.Add(after))}
	if source != "" {
		in.SourceIntegrationTemplateId = &source
	}
	return in
}

// lister is an upstream that lists its integrations in their order, and that reads
// the one that shows returns for an id.
type lister struct {
	has      []*integrationv1.Integration
	pageSize int // instead of the page size that was asked for
	lists    int
	shows    func(id string) *integrationv1.Integration
	err      error
}

func (up *lister) Call(_ context.Context, call upstream.Call) error {
	if up.err != nil {
		return up.err
	}
	if get, ok := call.Request.(*integrationv1.GetIntegrationRequest); ok {
		if up.shows == nil || up.shows(get.GetIntegrationId()) == nil {
			return errors.New("404")
		}
		proto.Merge(call.Response, &integrationv1.GetIntegrationResponse{Integration: up.shows(get.GetIntegrationId())})
		return nil
	}
	up.lists++
	list := call.Request.(*integrationv1.ListIntegrationsRequest)
	from := 0
	if list.After != nil {
		from = 1 + slices.IndexFunc(up.has, func(in *integrationv1.Integration) bool { return in.GetId() == list.GetAfter() })
	}
	size := up.pageSize
	if size == 0 {
		size = int(list.GetLimit())
	}
	to := min(from+size, len(up.has))
	proto.Merge(call.Response, &integrationv1.ListIntegrationsResponse{Data: up.has[from:to], HasMore: to < len(up.has)})
	return nil
}

func nothingNamed(_ context.Context, ids []string) ([]string, error) {
	return nil, ledger.CheckNamed(ids)
}

func ids(all []copies.Candidate) string {
	var names []string
	for _, c := range all {
		names = append(names, c.ID)
	}
	return strings.Join(names, " ")
}

func TestCandidates_DigasIntegrations_AreThoseThatTheCopyMayHaveCreated(t *testing.T) {
	t.Parallel()
	noTime := made("no-time", template, 0)
	noTime.CreatedAt = nil
	up := &lister{has: []*integrationv1.Integration{
		made("after", template, time.Second),
		made("of-another", another, time.Second),
		made("upper", strings.ToUpper(template), time.Second),
		made("no-template", "", time.Second),
		made("named", template, time.Second),
		noTime,
		made("clock-behind", template, -9*time.Minute),
		made("before", template, -11*time.Minute),
		made("before-and-no-template", "", -11*time.Minute),
		made("out-of-order", template, 0),
	}}
	named := func(context.Context, []string) ([]string, error) { return []string{"named"}, nil }
	for what, template := range map[string]string{"lower case": template, "upper case": strings.ToUpper(template)} {
		r := record
		r.ParentID = template
		got, err := copies.Candidates(t.Context(), up, named, copies.CopyTemplate, r, copies.Glance)
		if want := "after upper no-template no-time clock-behind out-of-order"; err != nil || ids(got) != want {
			t.Errorf("%s: got %q, error %v; want %q", what, ids(got), err, want)
		}
	}
}

func TestCandidates_OfACreatedIntegration_HaveNoTemplate(t *testing.T) {
	t.Parallel()
	up := &lister{has: []*integrationv1.Integration{
		made("of-a-template", template, time.Second), made("no-template", "", time.Second), made("before", "", -time.Hour),
	}}
	got, err := copies.Candidates(t.Context(), up, nothingNamed, copies.CreateIntegration, ledger.Record{ClaimedAt: claimed}, copies.Glance)
	if err != nil || ids(got) != "no-template" {
		t.Errorf("got %q, error %v", ids(got), err)
	}
}

// many returns n integrations that were created before the copy.
func many(n int, name string) (all []*integrationv1.Integration) {
	for i := range n {
		all = append(all, made(fmt.Sprint(name, i), template, -time.Hour-time.Duration(i)*time.Second))
	}
	return all
}

func TestCandidates_LongList_IsReadOnlyAsFarAsNecessary(t *testing.T) {
	t.Parallel()
	target := made("target", template, 0)
	ascending := many(350, "old")
	slices.Reverse(ascending)
	var others []*integrationv1.Integration
	for i := range 1100 {
		others = append(others, made(fmt.Sprint("other", i), another, time.Hour))
	}
	for _, test := range []struct {
		name  string
		has   []*integrationv1.Integration
		pages int
		found bool
		lists int
	}{
		{"a page of older ones ends it", append([]*integrationv1.Integration{target}, many(500, "old")...), copies.Look, true, 2},
		{"an older one on the page does not", slices.Concat(many(1, "old"), others[:150], []*integrationv1.Integration{target}), copies.Look, true, 2},
		{"oldest first", append(ascending, target), copies.Look, true, 4},
		{"oldest first, one a page", append(slices.Clone(ascending[:3]), target), copies.Look, true, 4},
		{"too far back", append(slices.Clone(others), target), copies.Look, false, copies.Look},
		{"a glance", append(slices.Clone(others[:100]), target), copies.Glance, false, 1},
	} {
		up := &lister{has: test.has}
		if strings.HasSuffix(test.name, "one a page") {
			up.pageSize = 1
		}
		got, err := copies.Candidates(t.Context(), up, nothingNamed, copies.CopyTemplate, record, test.pages)
		if found := ids(got) == "target"; err != nil || found != test.found || up.lists != test.lists {
			t.Errorf("%s: got %q after %d requests, error %v; want %v after %d", test.name, ids(got), up.lists, err, test.found, test.lists)
		}
	}
}

func TestCandidates_PageLargerThanAskedFor_IsLookedUpWhole(t *testing.T) {
	t.Parallel()
	up := &lister{pageSize: 3010}
	for i := range 3010 {
		up.has = append(up.has, made(strconv.Itoa(i), template, time.Second))
	}
	asked := 0
	got, err := copies.Candidates(t.Context(), up, func(_ context.Context, ids []string) ([]string, error) {
		asked += len(ids)
		return ids[:1], ledger.CheckNamed(ids)
	}, copies.CopyTemplate, record, copies.Look)
	if err != nil || asked != 3010 || len(got) != 3010-4 {
		t.Errorf("%d candidates of %d that were looked up, error %v", len(got), asked, err)
	}
}

func TestCandidates_LedgerIsAway_HasAReasonOfItsOwn(t *testing.T) {
	t.Parallel()
	up := &lister{has: []*integrationv1.Integration{made("a", template, 0)}}
	away := func(context.Context, []string) ([]string, error) { return nil, errors.New("dial 10.1.2.3") }
	_, err := copies.Candidates(t.Context(), up, away, copies.CopyTemplate, record, copies.Look)
	if e, ok := errors.AsType[*apierror.Error](err); !ok || e.Reason != apierror.ReasonLedgerUnavailable {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = copies.Candidates(ctx, up, away, copies.CopyTemplate, record, copies.Look)
	if e, ok := errors.AsType[*apierror.Error](err); !ok || !errors.Is(e, context.Canceled) {
		t.Errorf("the caller left: got %v", err)
	}
}

func TestConfirm_OneIntegration_IsConfirmedIfTheCopyMayHaveCreatedIt(t *testing.T) {
	t.Parallel()
	shown := map[string]*integrationv1.Integration{
		"far-back": made("far-back", template, 0), "no-template": made("no-template", "", 0), "ABC": made("abc", template, 0),
		"of-another": made("of-another", another, 0), "before": made("before", template, -time.Hour),
		"named": made("named", template, 0), "odd": made("another-one", template, 0),
	}
	listed := []*integrationv1.Integration{made("listed", template, 0)}
	named := func(_ context.Context, ids []string) ([]string, error) {
		return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id != "named" }), nil
	}
	for id, want := range map[string]string{
		"far-back": "far-back", "no-template": "no-template", "ABC": "abc", "listed": "listed", "LISTED": "listed",
		"of-another": "", "before": "", "named": "", "odd": "", "nowhere": "",
	} {
		up := &lister{has: listed, shows: func(id string) *integrationv1.Integration { return shown[id] }}
		got, err := copies.Confirm(t.Context(), up, named, copies.CopyTemplate, record, id)
		if err != nil || got != want {
			t.Errorf("%s: got %q, error %v; want %q", id, got, err, want)
		}
		if up.lists > 0 && shown[id] != nil && id != "odd" {
			t.Errorf("%s: the list was read as well", id)
		}
	}
	if got, err := copies.Confirm(t.Context(), &lister{err: errors.New("down")}, named, copies.CopyTemplate, record, "listed"); err == nil || got != "" {
		t.Errorf("Diga is away: got %q, error %v", got, err)
	}
}
