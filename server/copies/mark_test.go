package copies_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/exchange/exchangetest"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/memory"
	"github.com/digate/digate/server/upstream"
)

// The methods of [keeper], for its hooks.
const (
	copyMethod   = integrationv1.IntegrationService_CopyTemplate_FullMethodName
	createMethod = integrationv1.IntegrationService_CreateIntegration_FullMethodName
	renameMethod = integrationv1.IntegrationService_UpdateIntegration_FullMethodName
	getMethod    = integrationv1.IntegrationService_GetIntegration_FullMethodName
	listMethod   = integrationv1.IntegrationService_ListIntegrations_FullMethodName
)

// keeper is an upstream that keeps integrations and their names.
type keeper struct {
	mu    sync.Mutex
	has   []*integrationv1.Integration
	sent  []string // the names of the requests to create something
	calls map[string]int
	// before and after run before a method does its work, and after it.
	before, after map[string]func(context.Context) error
	// oddly changes the responses to creates, and other makes reads and renames return
	// another integration.
	oddly func(*integrationv1.Integration)
	other bool
	// lists changes the pages of lists.
	lists func(*integrationv1.ListIntegrationsResponse)
}

func newKeeper() *keeper {
	return &keeper{
		calls: make(map[string]int), before: make(map[string]func(context.Context) error), after: make(map[string]func(context.Context) error),
	}
}

func (k *keeper) Call(ctx context.Context, call upstream.Call) error {
	if call.BeforeSend != nil {
		sent, err := call.BeforeSend()
		if err != nil {
			return err
		}
		ctx = sent
	}
	if f := k.before[call.Method]; f != nil {
		if err := f(ctx); err != nil {
			return err
		}
	}
	resp := k.serve(call)
	if resp == nil {
		return apierror.RouteNotFound()
	}
	if f := k.after[call.Method]; f != nil {
		if err := f(ctx); err != nil {
			return err
		}
	}
	proto.Merge(call.Response, resp)
	switch resp := call.Response.(type) {
	case *integrationv1.CopyTemplateResponse:
		if k.oddly != nil {
			k.oddly(resp.Integration)
		}
	case *integrationv1.ListIntegrationsResponse:
		if k.lists != nil {
			k.lists(resp)
		}
	case *integrationv1.UpdateIntegrationResponse:
		if k.other {
			resp.Integration.Id = "other"
		}
	case *integrationv1.GetIntegrationResponse:
		if k.other {
			resp.Integration.Id = "other"
		}
	}
	ex := exchange.FromContext(ctx)
	ex.Attempts = append(ex.Attempts, exchange.Attempt{Outcome: exchange.Done})
	ex.Body, ex.Relay = []byte(call.Method), true
	return nil
}

func (k *keeper) serve(call upstream.Call) proto.Message {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls[call.Method]++
	switch req := call.Request.(type) {
	case *integrationv1.CopyTemplateRequest:
		return &integrationv1.CopyTemplateResponse{Integration: k.add(req.GetName(), req.TemplateId)}
	case *integrationv1.CreateIntegrationRequest:
		return &integrationv1.CreateIntegrationResponse{Integration: k.add(req.GetName(), "")}
	case *integrationv1.UpdateIntegrationRequest:
		for _, in := range k.has {
			if in.GetId() == req.GetIntegrationId() {
				in.Name = req.GetName()
				return proto.Clone(&integrationv1.UpdateIntegrationResponse{Integration: in})
			}
		}
	case *integrationv1.GetIntegrationRequest:
		for _, in := range k.has {
			if in.GetId() == req.GetIntegrationId() {
				return proto.Clone(&integrationv1.GetIntegrationResponse{Integration: in})
			}
		}
	case *integrationv1.ListIntegrationsRequest:
		list := slices.Clone(k.has)
		slices.Reverse(list)
		from := 0
		if req.After != nil {
			from = 1 + slices.IndexFunc(list, func(in *integrationv1.Integration) bool { return in.GetId() == req.GetAfter() })
		}
		to := min(from+int(req.GetLimit()), len(list))
		return proto.Clone(&integrationv1.ListIntegrationsResponse{Data: list[from:to], HasMore: to < len(list)})
	}
	return nil
}

func (k *keeper) add(name, source string) *integrationv1.Integration {
	in := &integrationv1.Integration{Id: fmt.Sprintf("id-%d", len(k.has)), Name: name, CreatedAt: timestamppb.Now()}
	if source != "" {
		in.SourceIntegrationTemplateId = &source
	}
	k.has, k.sent = append(k.has, in), append(k.sent, name)
	return proto.CloneOf(in)
}

// names returns the names of all integrations.
func (k *keeper) names() (names []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, in := range k.has {
		names = append(names, in.GetName())
	}
	return names
}

func (k *keeper) change(f func(has []*integrationv1.Integration)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f(k.has)
}

// lost is a hook by which the response is lost.
func lost(context.Context) error { return apierror.ResponseLost(errLost, true) }

// marking is a coordinator whose calls are marked, and its log.
type marking struct {
	*copies.Coordinator
	marks   *copies.Marks
	log     bytes.Buffer
	renames []exchange.Outcome
}

func newMarking(t *testing.T, up copies.Upstream, l *memory.Store, change ...func(*copies.Config)) *marking {
	t.Helper()
	keys, err := ledger.NewKeys(make([]byte, ledger.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	m := new(marking)
	log := slog.New(slog.NewTextHandler(&m.log, nil))
	observer := exchangetest.Observer(func(op exchange.Operation, _ *exchange.Exchange, err error) {
		if op.Kind == exchange.Rename {
			outcome := exchange.Done
			if err != nil {
				outcome = apierror.FromError(err).Outcome
			}
			m.renames = append(m.renames, outcome)
		}
	})
	m.marks = &copies.Marks{Mark: keys.Mark, Upstream: up, Ledger: l, Observer: observer, Log: log}
	m.Coordinator = newReplica(t, up, l, append([]func(*copies.Config){func(c *copies.Config) { c.Marks, c.Log = m.marks, log }}, change...)...)
	return m
}

// wantNames fails unless the integrations have the names.
func wantNames(t *testing.T, k *keeper, names ...string) {
	t.Helper()
	if got := k.names(); !slices.Equal(got, names) {
		t.Errorf("the integrations are %q, want %q", got, names)
	}
}

// isMarked reports whether a name is that of a request which asked for another.
func isMarked(name, asked string) bool {
	mark, ok := strings.CutPrefix(name, asked+"~")
	return ok && len(mark) == ledger.MarkLen
}

func TestMarks_Copy_IsSentWithAMarkAndRenamed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Shop of the north", "ends in ~", "like a mark~0123456789", " ", "🐘"} {
		k := newKeeper()
		m := newMarking(t, k, newLedger(t))
		req := &integrationv1.CopyTemplateRequest{TemplateId: uuid, Name: &name, RequestId: "r", ApiKey: new("key")}
		original := proto.CloneOf(req)
		for call := range 3 {
			ctx, ex := exchange.NewContext(t.Context())
			in, replayed, err := m.CopyTemplate(ctx, req, copies.Before{})
			if err != nil || in.GetId() != "id-0" || in.GetName() != name || replayed != (call > 0) {
				t.Errorf("%q, call %d: %v, %v, %v", name, call, in, replayed, err)
			}
			// The body is Diga's last one, and the attempts are those of the create or the read.
			if want := []string{renameMethod, getMethod}[min(call, 1)]; string(ex.Body) != want || !ex.Relay || len(ex.Attempts) != 1 || ex.Outcome != exchange.Done && call > 0 {
				t.Errorf("%q, call %d: %+v", name, call, ex)
			}
		}
		if !isMarked(k.sent[0], name) || !proto.Equal(req, original) {
			t.Errorf("%q was sent as %q, and the request became %v", name, k.sent, req)
		}
		if want := map[string]int{copyMethod: 1, renameMethod: 1, getMethod: 2}; !maps.Equal(k.calls, want) {
			t.Errorf("%q took %v, want %v", name, k.calls, want)
		}
		wantNames(t, k, name)
	}
}

func TestMarks_OtherMethods_IntegrationsAreMarkedAndToolsAreNot(t *testing.T) {
	t.Parallel()
	k := newKeeper()
	m := newMarking(t, k, newLedger(t))
	ctx, _ := exchange.NewContext(t.Context())
	in, _, err := m.CreateIntegration(ctx, &integrationv1.CreateIntegrationRequest{Name: new("crm"), BaseUrl: new("https://x"), RequestId: "r"})
	if err != nil || in.GetName() != "crm" || !isMarked(k.sent[0], "crm") {
		t.Errorf("%v %v, sent as %q", in, err, k.sent)
	}
	var tool string
	m = newMarking(t, upstreamFunc(func(call upstream.Call) error {
		tool = call.Request.(*integrationv1.CreateToolRequest).GetName()
		proto.Merge(call.Response, &integrationv1.CreateToolResponse{Tool: &integrationv1.Tool{Tool: &integrationv1.Tool_Http{Http: &integrationv1.HttpTool{Id: "t"}}}})
		return nil
	}), newLedger(t))
	if _, _, err := m.CreateTool(ctx, &integrationv1.CreateToolRequest{IntegrationId: uuid, Name: new("list"), RequestId: "r"}); err != nil || tool != "list" {
		t.Errorf("a tool was sent as %q, %v", tool, err)
	}
}

// A tool has no mark, so a doubt about one costs no search.
func TestMarks_ToolInDoubt_IsNotSearchedFor(t *testing.T) {
	t.Parallel()
	pages := 0
	m := newMarking(t, upstreamFunc(func(call upstream.Call) error {
		if resp, ok := call.Response.(*integrationv1.ListToolsResponse); ok {
			pages++
			resp.HasMore = true
			resp.Data = []*integrationv1.Tool{{Tool: &integrationv1.Tool_Http{Http: &integrationv1.HttpTool{Id: fmt.Sprint("t", pages), Name: "list"}}}}
			return nil
		}
		return lost(t.Context())
	}), newLedger(t))
	for range 2 {
		ctx, _ := exchange.NewContext(t.Context())
		_, _, err := m.CreateTool(ctx, &integrationv1.CreateToolRequest{IntegrationId: uuid, Name: new("list"), RequestId: "r"})
		if e := apierror.FromError(err); e == nil || e.Outcome != exchange.Unknown {
			t.Errorf("%v", err)
		}
	}
	if pages != copies.Glance {
		t.Errorf("%d pages were read", pages)
	}
}

// upstreamFunc is an upstream that makes calls by the function.
type upstreamFunc func(call upstream.Call) error

func (f upstreamFunc) Call(_ context.Context, call upstream.Call) error {
	if call.BeforeSend != nil {
		if _, err := call.BeforeSend(); err != nil {
			return err
		}
	}
	return f(call)
}

// Whatever else Diga returns, the response is the integration that was created.
func TestMarks_OddDiga_ResponseIsWhatWasCreated(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		set     func(k *keeper)
		renames int
		marked  bool
	}{
		"takes the mark off by itself": {func(k *keeper) { k.oddly = func(in *integrationv1.Integration) { in.Name = "n" } }, 0, false},
		"shows no name":                {func(k *keeper) { k.oddly = func(in *integrationv1.Integration) { in.Name = "" } }, 1, false},
		"returns another":              {func(k *keeper) { k.other = true }, 1, true},
		"reads another":                {func(k *keeper) { k.other, k.before[renameMethod] = true, lost }, 1, true},
	} {
		k := newKeeper()
		c.set(k)
		m := newMarking(t, k, newLedger(t))
		ctx, _ := exchange.NewContext(t.Context())
		in, _, err := m.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: uuid, Name: new("n"), RequestId: "r"}, copies.Before{})
		m.Wait(t.Context())
		if err != nil || in.GetId() != "id-0" || isMarked(in.GetName(), "n") != c.marked || len(m.renames) != c.renames {
			t.Errorf("%s: %v %v, %v", what, in, err, m.renames)
		}
	}
}

// A repeated call does not wait longer for the name than the first one may.
func TestMarks_ReplayWhoseRenameHangs_ShowsTheNameAsItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, l := newKeeper(), newLedger(t)
		dies(t, k, l, true, "r")
		k.before[renameMethod] = func(ctx context.Context) error { <-ctx.Done(); return apierror.ResponseLost(ctx.Err(), true) }
		began := time.Now()
		copyAs(t.Context(), newMarking(t, k, l).Coordinator, "r", "n").want(t, "id-0", "", exchange.None)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestMarks_CopyWithoutAName_GetsThatOfItsTemplate(t *testing.T) {
	t.Parallel()
	k := newKeeper()
	m := newMarking(t, k, newLedger(t))
	copyUnnamed := func(id string, name string, err error) (*integrationv1.Integration, error) {
		ctx, cancel := context.WithTimeout(t.Context(), lease/3) // an id that is not free takes longer
		defer cancel()
		ctx, _ = exchange.NewContext(ctx)
		in, _, failed := m.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: uuid, RequestId: id}, copies.Before{
			TemplateName: func(context.Context) (string, error) { return name, err },
		})
		return in, failed
	}
	if in, err := copyUnnamed("r", "Template", nil); err != nil || in.GetName() != "Template" || !isMarked(k.sent[0], "Template") {
		t.Errorf("%v %v, sent as %q", in, err, k.sent)
	}
	refusal := apierror.NotChecked(apierror.ResponseLost(errLost, false))
	if _, err := copyUnnamed("other", "", refusal); !errors.Is(err, refusal) || len(k.sent) != 1 {
		t.Errorf("the template cannot be read: %v, sent %q", err, k.sent)
	}
	// The id is free. A template without a name cannot be marked.
	if in, err := copyUnnamed("other", "", nil); err != nil || in.GetName() != "" || k.sent[1] != "" {
		t.Errorf("a template without a name: %v %v, sent as %q", in, err, k.sent)
	}
	if k.calls[renameMethod] != 1 {
		t.Errorf("%v", k.calls)
	}
}

func TestMarks_RenameFails_ResponseIsHonestAndTheRepeatRenames(t *testing.T) {
	t.Parallel()
	for what, hook := range map[string]func(k *keeper, f func(context.Context) error){
		"before it is done": func(k *keeper, f func(context.Context) error) { k.before[renameMethod] = f },
		"after it was done": func(k *keeper, f func(context.Context) error) { k.after[renameMethod] = f },
	} {
		k := newKeeper()
		m := newMarking(t, k, newLedger(t))
		hook(k, lost)
		k.before[getMethod] = lost // by which a second attempt looks whether the mark is still there
		ctx, ex := exchange.NewContext(t.Context())
		in, _, err := m.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: uuid, Name: new("n"), RequestId: "r"}, copies.Before{})
		if err != nil || in.GetId() != "id-0" || !isMarked(in.GetName(), "n") || string(ex.Body) != copyMethod {
			t.Errorf("%s: %v %v %s", what, in, err, ex.Body)
		}
		m.Wait(t.Context())
		if log := m.log.String(); strings.Count(log, "keeps the mark") != 1 || !strings.Contains(log, "ledger_record="+ex.LedgerRecord) {
			t.Errorf("%s: %s", what, log)
		}
		k.before[getMethod] = nil
		// A replay whose rename fails shows the name as it was read.
		copyAs(t.Context(), m.Coordinator, "r", "n").want(t, "id-0", "", exchange.None)
		hook(k, nil)
		copyAs(t.Context(), m.Coordinator, "r", "n").want(t, "id-0", "", exchange.None)
		wantNames(t, k, "n")
		if len(k.sent) != 1 {
			t.Errorf("%s: %q were sent", what, k.sent)
		}
	}
}

// What failed within the caller's time is tried once more without the caller.
func TestMarks_RenameTakesTooLongForTheCaller_IsDoneAfterwards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper()
		m := newMarking(t, k, newLedger(t))
		hangs := true
		k.before[renameMethod] = func(ctx context.Context) error {
			if hangs {
				hangs = false
				<-ctx.Done()
				return apierror.ResponseLost(ctx.Err(), true)
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		began := time.Now()
		copyAs(ctx, m.Coordinator, "r", "n").want(t, "id-0", "", exchange.None)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the caller waited %v of 4 s", took)
		}
		m.Wait(t.Context())
		wantNames(t, k, "n")
		if !slices.Equal(m.renames, []exchange.Outcome{exchange.Unknown, exchange.Done}) {
			t.Errorf("%v", m.renames)
		}
	})
}

// A caller that leaves while its copy is renamed finds the name when it repeats the
// call.
func TestMarks_CallerLeaves_IsRenamedAllTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper()
		m := newMarking(t, k, newLedger(t))
		ctx, cancel := context.WithCancel(t.Context())
		k.after[copyMethod] = func(context.Context) error { cancel(); time.Sleep(time.Second); return nil }
		copyAs(ctx, m.Coordinator, "r", "n").want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
		m.Wait(t.Context())
		wantNames(t, k, "n")
	})
}

// Until the copy is recorded as done, the mark is the only proof of it.
func TestMarks_LedgerAwayAtTheEnd_IsRenamedAfterItIsRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, l := newKeeper(), newLedger(t)
		var named []string
		away := true
		m := newMarking(t, k, l, func(c *copies.Config) {
			c.Ledger = failing(l, "MarkDone", func(context.Context) error {
				named = k.names()
				if away {
					away = false
					return errLost
				}
				return nil
			})
		})
		r := copyAs(t.Context(), m.Coordinator, "r", "n")
		r.want(t, "id-0", "", exchange.None)
		m.Wait(t.Context())
		if len(named) != 1 || !isMarked(named[0], "n") {
			t.Errorf("%q before it was recorded", named)
		}
		wantNames(t, k, "n")
	})
}

// The record of a copy that could not be recorded is in doubt when its lease ends. The
// mark is there still.
func TestMarks_NeverRecorded_KeepsItsMarkUntilTheDoubtIsSettled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, l := newKeeper(), newLedger(t)
		m := newMarking(t, k, l, func(c *copies.Config) { c.Ledger = died(l, "after sending") })
		copyAs(t.Context(), m.Coordinator, "r", "n").want(t, "id-0", "", exchange.None)
		m.Wait(t.Context())
		if got := k.names(); !isMarked(got[0], "n") || len(m.renames) > 0 {
			t.Errorf("%q after %d requests for the name", got, len(m.renames))
		}
		copyAs(t.Context(), newMarking(t, k, l).Coordinator, "r", "n").want(t, "id-0", "", exchange.None)
		wantNames(t, k, "n")
	})
}

// dies makes a copy whose owner dies: after the copy was sent and before it is
// recorded, or after that and before it is renamed.
func dies(t *testing.T, k *keeper, l *memory.Store, recorded bool, requestID string) {
	t.Helper()
	m := newMarking(t, k, l, func(c *copies.Config) {
		if !recorded {
			c.Ledger = died(l, "after sending")
		}
	})
	k.before[renameMethod], k.before[getMethod] = lost, lost
	m.Close() // no attempt to record goes on
	copyAs(t.Context(), m.Coordinator, requestID, "n")
	m.Wait(t.Context())
	clear(k.before)
	time.Sleep(lease) // of the synctest bubble
}

func TestMarks_OwnerDies_TheNextReplicaSettlesAndRenames(t *testing.T) {
	t.Parallel()
	for _, recorded := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			k, l := newKeeper(), newLedger(t)
			dies(t, k, l, recorded, "r")
			if got := k.names(); len(got) != 1 || !isMarked(got[0], "n") {
				t.Fatalf("%q", got)
			}
			m := newMarking(t, k, l)
			for range 2 {
				ctx, ex := exchange.NewContext(t.Context())
				in, replayed, err := m.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: uuid, Name: new("n"), RequestId: "r"}, copies.Before{})
				if err != nil || in.GetId() != "id-0" || in.GetName() != "n" || !replayed || ex.Outcome != exchange.Done {
					t.Errorf("recorded %v: %v %v %v %v", recorded, in, replayed, err, ex.Outcome)
				}
			}
			wantNames(t, k, "n")
			if k.calls[copyMethod] != 1 || k.calls[renameMethod] != 1 {
				t.Errorf("recorded %v: %v", recorded, k.calls)
			}
			if settled := strings.Count(m.log.String(), "settled by its mark"); settled != 1 == !recorded {
				t.Errorf("recorded %v: %s", recorded, m.log.String())
			}
		})
	}
}

// The same call under the same id is another claim if the first was settled as not
// created. What the first created late is not what the second created.
func TestMarks_DoubtSettledAsNotCreated_TheNextClaimHasAnotherMark(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, l := newKeeper(), newLedger(t)
		k.after[copyMethod] = lost
		m := newMarking(t, k, l)
		copyAs(t.Context(), m.Coordinator, "r", "n").want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
		key, _ := keyOf(t, "r")
		r, _, err := l.Get(t.Context(), key)
		if err != nil || l.Resolve(t.Context(), key, r.Token, "") != nil {
			t.Fatal(r, err)
		}
		k.before[copyMethod] = lost // nothing is created
		copyAs(t.Context(), m.Coordinator, "r", "n").want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
		copyAs(t.Context(), m.Coordinator, "r", "n").want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
		if got := k.names(); len(got) != 1 || !isMarked(got[0], "n") {
			t.Errorf("%q", got)
		}
	})
}

func keyOf(t *testing.T, requestID string) (ledger.Digest, ledger.Keys) {
	t.Helper()
	keys, err := ledger.NewKeys(make([]byte, ledger.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return keys.Key("", "", requestID), keys
}

func TestMarks_InDoubt_IsSettledByTheMarkAlone(t *testing.T) {
	t.Parallel()
	swap := func(in *integrationv1.Integration) { // another mark, of the same length
		in.Name = in.Name[:len(in.Name)-1] + map[bool]string{true: "1", false: "0"}[strings.HasSuffix(in.Name, "0")]
	}
	for what, c := range map[string]struct {
		change func(k *keeper)
		settled,
		kept bool // the name stays as it is
		ids    string
		others int
	}{
		"found":           {nil, true, false, "", 0},
		"among others":    {func(k *keeper) { k.add("n", uuid); k.add("n~0123456789", uuid) }, true, false, "", 2},
		"far back":        {func(k *keeper) { k.more(450) }, true, false, "", 450},
		"too far back":    {func(k *keeper) { k.more(100 * copies.Search) }, false, true, "", -1},
		"not created":     {func(k *keeper) { k.has = nil }, false, true, "[]", -1},
		"renamed":         {func(k *keeper) { k.has[0].Name = "n" }, false, true, "[id-0]", 0},
		"another's mark":  {func(k *keeper) { swap(k.has[0]) }, false, true, "[id-0]", 0},
		"something after": {func(k *keeper) { k.has[0].Name += " (copy)" }, false, true, "[id-0]", 0},
		"in capitals":     {func(k *keeper) { k.has[0].Name = "n" + strings.ToUpper(k.has[0].Name[1:]) }, false, true, "[id-0]", 0},
		"other template":  {func(k *keeper) { k.has[0].SourceIntegrationTemplateId = new(another) }, false, true, "[]", 0},
		"template in capitals": {func(k *keeper) { k.has[0].SourceIntegrationTemplateId = new(strings.ToUpper(uuid)) },
			true, false, "", 0},
		"no template":  {func(k *keeper) { k.has[0].SourceIntegrationTemplateId = nil }, true, false, "", 0},
		"other before": {func(k *keeper) { k.has[0].Name = "x" + k.has[0].Name }, true, false, "", 0},
		"no id":        {func(k *keeper) { k.has[0].Id = "" }, false, true, "", 0},
		"no ledger's id": {func(k *keeper) { k.has[0].Id = strings.Repeat("x", ledger.MaxIDLen+1) }, false, true,
			"[" + strings.Repeat("x", ledger.MaxIDLen+1) + "]", 0},
		"created twice": {func(k *keeper) { k.add("other", uuid); k.add(k.has[0].Name, uuid) }, false, true, "[id-2 id-0]", 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			k, l := newKeeper(), newLedger(t)
			dies(t, k, l, false, "r")
			if c.change != nil {
				k.mu.Lock()
				c.change(k)
				k.mu.Unlock()
			}
			before := k.names()
			m := newMarking(t, k, l)
			for range 2 {
				r := copyAs(t.Context(), m.Coordinator, "r", "n")
				if c.settled {
					r.want(t, "id-0", "", exchange.None)
				} else {
					r.want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
					if c.ids != "" && fmt.Sprint(r.err.IntegrationIDs) != c.ids {
						t.Errorf("%s: the error names %v, want %s", what, r.err.IntegrationIDs, c.ids)
					}
				}
			}
			if got := k.names(); slices.Equal(got, before) != c.kept || c.others >= 0 && !slices.Equal(got[1:], before[1:]) {
				t.Errorf("%s: %d names became %d", what, len(before), len(got))
			}
			if k.calls[copyMethod] != 1 {
				t.Errorf("%s: %v", what, k.calls)
			}
		})
	}
}

// An integration that is listed twice was created once all the same.
func TestMarks_ListThatRepeatsItself_SettlesTheDoubt(t *testing.T) {
	t.Parallel()
	for what, lists := range map[string]func(*integrationv1.ListIntegrationsResponse){
		"an integration twice":   func(p *integrationv1.ListIntegrationsResponse) { p.Data = append(p.Data, p.Data...) },
		"the same page for ever": func(p *integrationv1.ListIntegrationsResponse) { p.HasMore = true },
		"a page without an end":  func(p *integrationv1.ListIntegrationsResponse) { p.Data, p.HasMore = append(p.Data, p.Data...), true },
	} {
		synctest.Test(t, func(t *testing.T) {
			k, l := newKeeper(), newLedger(t)
			dies(t, k, l, false, "r")
			k.add("other", another)
			k.lists = func(p *integrationv1.ListIntegrationsResponse) {
				if len(p.GetData()) == 0 {
					p.Data = []*integrationv1.Integration{proto.CloneOf(k.has[1]), proto.CloneOf(k.has[0])} // whatever it is asked for
				}
				lists(p)
			}
			copyAs(t.Context(), newMarking(t, k, l).Coordinator, "r", "n").want(t, "id-0", "", exchange.None)
			wantNames(t, k, "n", "other")
			if n := k.calls[listMethod]; n > 2 {
				t.Errorf("%s: %d pages were read", what, n)
			}
		})
	}
}

// more adds integrations of other templates.
func (k *keeper) more(n int) {
	for range n {
		k.add("other", another)
	}
}

// A name that a person has given is not taken away, at whatever moment it was given.
func TestMarks_NameWasChanged_Stays(t *testing.T) {
	t.Parallel()
	change := func(k *keeper) func(context.Context) error {
		return func(context.Context) error {
			k.change(func(has []*integrationv1.Integration) { has[0].Name = "given by a person" })
			return nil
		}
	}
	t.Run("before the repeat", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			k, l := newKeeper(), newLedger(t)
			dies(t, k, l, true, "r")
			_ = change(k)(t.Context())
			copyAs(t.Context(), newMarking(t, k, l).Coordinator, "r", "n").want(t, "id-0", "", exchange.None)
			wantNames(t, k, "given by a person")
		})
	})
	t.Run("after the mark was found", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			k, l := newKeeper(), newLedger(t)
			dies(t, k, l, false, "r")
			k.after[listMethod] = change(k)
			copyAs(t.Context(), newMarking(t, k, l).Coordinator, "r", "n").want(t, "id-0", "", exchange.None)
			wantNames(t, k, "given by a person")
		})
	})
	// The owner lost its lease. Another replica settled the doubt meanwhile.
	t.Run("before a slow owner comes back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			k, l := newKeeper(), newLedger(t)
			other := newMarking(t, k, l)
			m := newMarking(t, k, l, func(c *copies.Config) { c.Ledger = failing(l, "Renew", fail) })
			k.after[copyMethod] = func(context.Context) error {
				time.Sleep(lease + time.Second)
				copyAs(t.Context(), other.Coordinator, "r", "n").want(t, "id-0", "", exchange.None)
				return change(k)(t.Context())
			}
			ctx, _ := exchange.NewContext(t.Context())
			in, _, err := m.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: uuid, Name: new("n"), RequestId: "r"}, copies.Before{})
			if err != nil || in.GetName() != "given by a person" {
				t.Errorf("%v %v", in, err)
			}
			m.Wait(t.Context())
			wantNames(t, k, "given by a person")
		})
	})
}

// Two replicas find the same mark. One settles the doubt, and both return the
// integration.
func TestMarks_SettledMeanwhile_IsReplayed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, l := newKeeper(), newLedger(t)
		dies(t, k, l, false, "r")
		one, other := newMarking(t, k, l), newMarking(t, k, l)
		first := true
		k.after[listMethod] = func(context.Context) error {
			if first {
				first = false
				copyAs(t.Context(), other.Coordinator, "r", "n").want(t, "id-0", "", exchange.None)
			}
			return nil
		}
		copyAs(t.Context(), one.Coordinator, "r", "n").want(t, "id-0", "", exchange.None)
		wantNames(t, k, "n")
		if strings.Contains(one.log.String(), "settled") || !strings.Contains(other.log.String(), "settled") {
			t.Errorf("%s\n%s", one.log.String(), other.log.String())
		}
	})
}

func TestMarks_LedgerOrDigaAwayInDoubt_StaysADoubt(t *testing.T) {
	t.Parallel()
	for what, set := range map[string]func(k *keeper, m *copies.Marks){
		"Diga":       func(k *keeper, _ *copies.Marks) { k.before[listMethod] = lost },
		"the ledger": func(_ *keeper, m *copies.Marks) { m.Ledger = unresolving{m.Ledger, errLost} },
		"named":      func(_ *keeper, m *copies.Marks) { m.Ledger = unresolving{m.Ledger, ledger.ErrNamed} },
		"the audit log": func(_ *keeper, m *copies.Marks) {
			m.BeforeSettle = func(context.Context, *digatev1.ResolveCopyRequest) error { return apierror.AuditUnavailable() }
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			k, l := newKeeper(), newLedger(t)
			dies(t, k, l, false, "r")
			m := newMarking(t, k, l)
			set(k, m.marks)
			copyAs(t.Context(), m.Coordinator, "r", "n").want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
			if got := k.names(); !isMarked(got[0], "n") || k.calls[copyMethod] != 1 {
				t.Errorf("%s: %q, %v", what, got, k.calls)
			}
		})
	}
}

// unresolving is a ledger that settles nothing.
type unresolving struct {
	copies.MarksLedger
	err error
}

func (u unresolving) Resolve(context.Context, ledger.Digest, ledger.Token, string) error {
	return u.err
}

// Without marks, no request is changed and no mark is looked for.
func TestMarks_Off_NothingIsMarkedOrRenamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, l := newKeeper(), newLedger(t)
		dies(t, k, l, true, "done")
		dies(t, k, l, false, "doubt")
		before := k.names()
		s := newReplica(t, k, l)
		copyAs(t.Context(), s, "done", "n").want(t, "id-0", "", exchange.None)
		copyAs(t.Context(), s, "doubt", "n").want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
		copyAs(t.Context(), s, "new", "n").want(t, "id-2", "", exchange.None)
		wantNames(t, k, append(before, "n")...)
	})
}
