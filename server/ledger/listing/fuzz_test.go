package listing_test

import (
	"testing"
	"time"

	"github.com/digate/digate/server/ledger/listing"
)

// FuzzParse reads any query: what it asks for is the same when it is written and read
// again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "state=unknown&limit=3", "since=2h", "since=2026-01-02T15:04:05.123456789%2B02:00", "record=0A&parent=x", "limit=-1", "limit=99999999999999999999", "since=-1h", "since=2562047h48m", "x=y", "limit=1&limit=2", "record=%zz", "a;b", "since=0001-01-01T00:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := listing.Parse(raw)
		if err != nil {
			return
		}
		if q.Limit < 1 || q.Since.After(time.Now().AddDate(9999, 0, 0)) {
			t.Errorf("%q asks for %+v", raw, q)
		}
		again, err := listing.Parse(listing.Values(q).Encode())
		if err != nil || !again.Since.Equal(q.Since) || again.State != q.State || again.ParentID != q.ParentID || again.Record != q.Record || again.Limit != q.Limit {
			t.Errorf("%q: %+v became %+v, %v", raw, q, again, err)
		}
	})
}
