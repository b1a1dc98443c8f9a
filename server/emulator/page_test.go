package emulator_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/digate/digate/server/emulator"
)

// page is a page of things with an id.
type page struct {
	Data []struct {
		ID, Language string
	}
	FirstID     *string `json:"first_id"`
	LastID      *string `json:"last_id"`
	HasMore     bool    `json:"has_more"`
	CurrentPage *int    `json:"current_page"`
	TotalPages  *int    `json:"total_pages"`
}

func (p page) ids() []string {
	var ids []string
	for _, d := range p.Data {
		ids = append(ids, d.ID)
	}
	return ids
}

func (u *upstream) list(token, path string) page {
	u.t.Helper()
	got := u.call(token, "GET", path, "")
	if got.status != 200 {
		u.t.Fatalf("%s: %d %s", path, got.status, got.body)
	}
	var p page
	if err := json.Unmarshal([]byte(got.body), &p); err != nil {
		u.t.Fatal(err)
	}
	return p
}

func TestPages_EveryWayOfPaging_SeesEverythingOnce(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	var ids []string
	for range 8 {
		ids = append(ids, u.copied("t", deepwiki, `{}`))
	}
	for _, order := range []string{"asc", "desc"} {
		want := slices.Clone(ids)
		if order == "desc" {
			slices.Reverse(want)
		}
		base := "/v1/integration?limit=3&order=" + order

		var forward []string
		p := u.list("t", base)
		for {
			forward = append(forward, p.ids()...)
			if !p.HasMore {
				break
			}
			if p.CurrentPage != nil || p.TotalPages != nil {
				t.Errorf("page numbers with a cursor: %+v", p)
			}
			p = u.list("t", base+"&after="+*p.LastID)
		}
		if !slices.Equal(forward, want) {
			t.Errorf("%s, after: got %v, want %v", order, forward, want)
		}

		backward := []string{want[7]}
		for p.HasMore = true; p.HasMore; {
			p = u.list("t", base+"&before="+backward[0])
			if len(p.Data) > 3 {
				t.Fatalf("%d on a page of 3", len(p.Data))
			}
			backward = append(p.ids(), backward...)
		}
		if !slices.Equal(backward, want) {
			t.Errorf("%s, before: got %v, want %v", order, backward, want)
		}

		var numbered []string
		for n := 1; n <= 3; n++ {
			p = u.list("t", fmt.Sprintf("%s&page=%d", base, n))
			numbered = append(numbered, p.ids()...)
			if *p.CurrentPage != n || *p.TotalPages != 3 || p.HasMore != (n < 3) {
				t.Errorf("page %d: %+v", n, p)
			}
		}
		if !slices.Equal(numbered, want) {
			t.Errorf("%s, page: got %v, want %v", order, numbered, want)
		}
	}
}

func TestPages_PastTheEnd_AreEmpty(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	id := u.copied("t", deepwiki, `{}`)
	wantReply(t, u.call("t", "GET", "/v1/integration?page=99999999999999999999", ""), 200,
		`{"data":[],"first_id":null,"last_id":null,"has_more":false,"current_page":99999999999999999999,"total_pages":1}`)
	wantReply(t, u.call("t", "GET", "/v1/integration?after="+id, ""), 200,
		`{"data":[],"first_id":null,"last_id":null,"has_more":false,"current_page":null,"total_pages":null}`)
	wantReply(t, u.call("u", "GET", "/v1/integration?page=1", ""), 200,
		`{"data":[],"first_id":null,"last_id":null,"has_more":false,"current_page":1,"total_pages":0}`)
}

func TestPages_ContradictoryParameters_AreRefused(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	id := u.copied("t", deepwiki, `{}`)
	for _, query := range []string{"after=" + id + "&before=" + id, "after=" + id + "&page=1", "before=" + id + "&page=1", "after=" + nobody, "before=" + nobody} {
		got := u.call("t", "GET", "/v1/integration?"+query, "")
		if got.status != 422 || got.field(t, "error_code") != "INVALID_PAGINATION_PARAMETERS" {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
}
