package listing_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/listing"
)

// fake is a ledger that remembers what it was asked.
type fake struct {
	has   []ledger.Record
	err   error
	asked ledger.Query
}

func (f *fake) List(_ context.Context, q ledger.Query) ([]ledger.Record, error) {
	f.asked = q
	return f.has[:min(len(f.has), q.Limit)], f.err
}

func get(t *testing.T, f *fake, query string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	listing.Handler(f).ServeHTTP(w, httptest.NewRequest(http.MethodGet, listing.Path+"?"+query, nil))
	return w
}

func TestHandler_Records_AreShownWithoutTokenAndFingerprint(t *testing.T) {
	t.Parallel()
	r := ledger.Record{
		Key: ledger.Digest{0xab}, Fingerprint: ledger.Digest{0xcd, 0xcd}, Token: ledger.Token{0xef, 0xef}, ParentID: "p", Method: "CopyTemplate",
		State: ledger.Unknown, ClaimedAt: time.Unix(1_700_000_000, 0), LapsedFor: time.Second,
	}
	f := &fake{has: []ledger.Record{r, r, r}}
	w := get(t, f, "state=unknown&parent=p&record=ab&limit=2")
	var page listing.Page
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 || len(page.Records) != 2 || !page.More {
		t.Fatalf("%d %s, %v", w.Code, w.Body, err)
	}
	if want := (ledger.Query{State: ledger.Unknown, ParentID: "p", Record: "ab", Limit: 3}); f.asked != want {
		t.Errorf("asked %+v, want %+v", f.asked, want)
	}
	got, err := page.Records[0].Ledger()
	want := r
	want.Fingerprint, want.Token, want.LapsedFor, want.ClaimedAt = ledger.Digest{}, ledger.Token{}, 0, r.ClaimedAt.UTC()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if body := w.Body.String(); strings.Contains(body, "cdcd") || strings.Contains(body, "efef") {
		t.Errorf("a token or a fingerprint is shown: %s", body)
	}
	if w := get(t, f, ""); f.asked.Limit != listing.DefaultLimit+1 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%+v, %v", f.asked, w.Header())
	}
}

func TestHandler_WrongParameter_IsRefused(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"state=lost", "stat=unknown", "limit=0", "limit=x", "limit=10000", "record=xyz", "since=then", "parent=%00", "state=unknown&state=done", "limit=1&limit=1", "state=unknown%zz", "state=unknown;limit=1"} {
		f := new(fake)
		if w := get(t, f, query); w.Code != http.StatusBadRequest || f.asked != (ledger.Query{}) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

func TestHandler_LedgerFails_NamesNoAddress(t *testing.T) {
	t.Parallel()
	if w := get(t, &fake{err: errors.New("dial tcp 10.1.2.3:5432")}, ""); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "10.1.2.3") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestParse_ValuesOfAQuery_AreReadBack(t *testing.T) {
	t.Parallel()
	for _, q := range []ledger.Query{
		{Limit: 1}, {State: ledger.Done, ParentID: "a&b", Record: "0f", Since: time.Unix(1_700_000_000, 123).UTC(), Limit: 7},
	} {
		if got, err := listing.Parse(listing.Values(q).Encode()); err != nil || got != q {
			t.Errorf("got %+v, %v; want %+v", got, err, q)
		}
	}
}

func TestParseSince_DurationOrTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0).UTC()
	for text, want := range map[string]time.Time{"2h": now.Add(-2 * time.Hour), "2023-11-14T22:13:20Z": now} {
		if got, err := listing.ParseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-2h", "2023", "yesterday"} {
		if got, err := listing.ParseSince(text, now); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
