package emulator_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/digate/digate/server/emulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	shopify  = "3c90c3cc-0d44-4b50-8888-8dd25736052a" // HTTP, key, placeholder in the base URL
	notion   = "8f1e6d0a-52c4-4d3b-9a57-1b6f0c9e2d41" // HTTP, key, placeholder in a header
	holidays = "72c81f0d-94ab-4e53-8b6a-d5f3920e7c14" // HTTP, no key, placeholder in tool paths
	weather  = "a96d3e51-8c04-4f7b-95d2-e0b71f4c6a28" // HTTP, no key, placeholders in fixed values
	github   = "1d9b5c7f-0e62-4a84-b3f1-9c25d8e04a73" // MCP, key
	deepwiki = "e3f49a60-17d8-4b2c-9e75-08c6b4d1f3a7" // MCP, nothing to set up
	nobody   = "99999999-9999-4999-8999-999999999999"
)

func clock() time.Time { return time.Date(2026, 11, 23, 20, 2, 11, 123456789, time.UTC) }

// upstream is an emulator behind a real socket.
type upstream struct {
	*emulator.Emulator
	t      *testing.T
	url    string
	client *http.Client
}

func start(t *testing.T, o emulator.Options) *upstream {
	t.Helper()
	if o.Now == nil {
		o.Now = clock
	}
	e := emulator.New(o)
	return serve(t, e, e)
}

func serve(t *testing.T, e *emulator.Emulator, h http.Handler) *upstream {
	t.Helper()
	s := httptest.NewServer(h)
	client := &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		e.Close()
		s.Close()
	})
	return &upstream{e, t, s.URL, client}
}

type reply struct {
	status int
	header http.Header
	body   string
}

// field returns a field of a JSON response.
func (r reply) field(t *testing.T, name string) any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(r.body), &o); err != nil {
		t.Fatalf("response %q: %v", r.body, err)
	}
	return o[name]
}

func (u *upstream) request(token, method, path, body string) *http.Request {
	u.t.Helper()
	r, err := http.NewRequestWithContext(u.t.Context(), method, u.url+path, strings.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func (u *upstream) try(r *http.Request) (reply, error) {
	res, err := u.client.Do(r)
	if err != nil {
		return reply{}, err
	}
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(body)}, errors.Join(err, res.Body.Close())
}

func (u *upstream) send(r *http.Request) reply {
	u.t.Helper()
	got, err := u.try(r)
	if err != nil {
		u.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return got
}

func (u *upstream) call(token, method, path, body string) reply {
	u.t.Helper()
	return u.send(u.request(token, method, path, body))
}

func (u *upstream) copy(token, template, body string) reply {
	u.t.Helper()
	return u.call(token, "POST", "/v1/integration/template/"+template+"/copy", body)
}

// copied copies a template and returns the id of the integration.
func (u *upstream) copied(token, template, body string) string {
	u.t.Helper()
	got := u.copy(token, template, body)
	if got.status != 201 {
		u.t.Fatalf("copy of %s: %d %s", template, got.status, got.body)
	}
	return got.field(u.t, "id").(string)
}

func wantReply(t *testing.T, got reply, status int, body string) {
	t.Helper()
	if got.status != status || got.body != body {
		t.Errorf("got  %d %s\nwant %d %s", got.status, got.body, status, body)
	}
}

func TestAuthorization_MissingOrOtherScheme_Is401(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	const want = `{"status":"error","error_code":"UNAUTHORIZED","message":"A bearer token is required"}`
	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer    ", "Basic dTpw", "token"} {
		r := u.request("", "GET", "/v1/integration", "")
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		wantReply(t, u.send(r), 401, want)
	}
	r := u.request("", "GET", "/v1/integration", "")
	r.Header.Set("Authorization", "bearer t")
	if got := u.send(r); got.status != 200 {
		t.Errorf("the scheme is case-insensitive: got %d", got.status)
	}
}

func TestAuthorization_ComesAfterSyntaxAndBeforeValidation(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	if got := u.copy("", "not-a-uuid", `{"name":1}`); got.status != 401 {
		t.Errorf("invalid request without token: got %d %s", got.status, got.body)
	}
	if got := u.copy("", shopify, `{`); got.status != 422 {
		t.Errorf("malformed body without token: got %d %s", got.status, got.body)
	}
}

func TestTokens_SeeOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	id := u.copied("alice", deepwiki, `{}`)
	for _, r := range []reply{
		u.call("bob", "GET", "/v1/integration/"+id, ""),
		u.call("bob", "PATCH", "/v1/integration/"+id, `{"name":"mine"}`),
		u.call("bob", "DELETE", "/v1/integration/"+id, ""),
		u.call("bob", "GET", "/v1/integration/"+id+"/tool", ""),
	} {
		if r.status != 404 || r.field(t, "error_code") != "INTEGRATION_NOT_FOUND" {
			t.Errorf("got %d %s", r.status, r.body)
		}
	}
	wantReply(t, u.call("bob", "GET", "/v1/integration", ""), 200,
		`{"data":[],"first_id":null,"last_id":null,"has_more":false,"current_page":null,"total_pages":null}`)
	if got := u.Integrations("alice"); len(got) != 1 || got[0].ID != id || got[0].Name != "DeepWiki (MCP)" {
		t.Errorf("alice has %+v", got)
	}
	if got := u.Integrations("bob"); got != nil {
		t.Errorf("bob has %+v", got)
	}
}

func TestSeed_DeterminesIDsForEachToken(t *testing.T) {
	t.Parallel()
	ids := func(seed int64, others bool) string {
		u := start(t, emulator.Options{Seed: seed})
		if others {
			u.copied("somebody else", holidays, `{}`)
		}
		first := u.copied("t", holidays, `{}`)
		if others {
			u.copied("somebody else", holidays, `{}`)
		}
		return first + u.copied("t", holidays, `{}`) + u.Integrations("t")[1].Tools[0].ID
	}
	one := ids(7, false)
	if again := ids(7, true); again != one {
		t.Errorf("same seed: %s, then %s", one, again)
	}
	if other := ids(8, false); other == one {
		t.Error("another seed gave the same ids")
	}
}

func TestRequests_CountsEveryRequest(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	u.call("t", "GET", "/nowhere", "")
	u.call("", "GET", "/v1/integration", "")
	u.copied("t", deepwiki, `{}`)
	if got := u.Requests(); got != 3 {
		t.Errorf("got %d, want 3", got)
	}
}

func TestTimes_WithoutMicroseconds_HaveNoFraction(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	u := start(t, emulator.Options{Now: func() time.Time { return at }})
	got := u.copy("t", deepwiki, `{}`)
	if created := got.field(t, "created_at"); created != "2026-01-02T02:04:05Z" {
		t.Errorf("got %v", created)
	}
}

func TestLatency_DelaysTheResponseButNotTheWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := emulator.New(emulator.Options{Latency: emulator.Constant(5 * time.Second)})
		began := time.Now()
		r := httptest.NewRequest(http.MethodPost, "/v1/integration/template/"+deepwiki+"/copy", strings.NewReader(`{}`))
		r.Header.Set("Authorization", "Bearer t")
		done := make(chan *httptest.ResponseRecorder)
		go func() {
			w := httptest.NewRecorder()
			e.ServeHTTP(w, r)
			done <- w
		}()
		synctest.Wait()
		if n := len(e.Integrations("t")); n != 1 {
			t.Errorf("%d integrations while the response is on its way, want 1", n)
		}
		if w := <-done; w.Code != 201 {
			t.Errorf("got %d", w.Code)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("took %v, want 5s", took)
		}
	})
}

func TestClose_CutsOffDelayedResponses(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 1)
	e := emulator.New(emulator.Options{Latency: emulator.Constant(time.Hour), Now: clock})
	u := serve(t, e, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		e.ServeHTTP(w, r)
	}))
	failed := make(chan error)
	go func() {
		_, err := u.try(u.request("t", "POST", "/v1/integration", `{}`))
		failed <- err
	}()
	<-arrived
	e.Close()
	e.Close()
	if err := <-failed; err == nil {
		t.Error("the response was completed")
	}
}
