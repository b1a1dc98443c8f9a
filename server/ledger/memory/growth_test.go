package memory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
)

// Without a sweep all records are gone in time.
func TestStore_NeverSwept_KeepsNoMoreThanTheRetention(t *testing.T) {
	const retention, perSecond = time.Minute, 10
	now := time.Unix(1_700_000_000, 0)
	s := New(Options{Retention: retention, Now: func() time.Time { return now }})
	long := strings.Repeat("t", ledger.MaxIDLen-10)
	for i := range uint32(20 * perSecond * 60) {
		c := ledger.Claim{ParentID: long[:1+i%2*usualID], Token: ledger.NewToken(), Lease: time.Second}
		binary.BigEndian.PutUint32(c.Key[:], i)
		if _, mine, err := s.Claim(t.Context(), c); err != nil || !mine {
			t.Fatal(mine, err)
		}
		// A third stays claimed, a third stays sending, a third is done.
		if i%3 > 0 {
			if err := s.MarkSending(t.Context(), c.Key, c.Token, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if i%3 > 1 {
			if err := s.MarkDone(t.Context(), c.Key, c.Token, fmt.Sprint(long[:i%2*usualID], "id-", i%100)); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(time.Second / perSecond)
	}
	atMost := perSecond * int(retention/time.Second)
	if n := len(s.records); n > atMost {
		t.Errorf("%d records are kept, want at most %d", n, atMost)
	}
	if n := len(s.named); n > atMost {
		t.Errorf("%d ids are kept, want at most %d", n, atMost)
	}
	if n := len(s.longIDs); n > 2*atMost {
		t.Errorf("%d long ids are kept, want at most %d", n, 2*atMost)
	}
	if n := int(s.places.last); n > atMost+1 {
		t.Errorf("records were in %d places, want at most %d", n, atMost+1)
	}
	if n := s.leased.Len() + s.done.Len() + s.unknown.Len(); n != len(s.records) {
		t.Errorf("%d elements for %d records", n, len(s.records))
	}
	now = now.Add(2 * retention)
	for len(s.records) > 0 {
		if n, err := s.Sweep(t.Context(), 50); err != nil || n == 0 || n > 50 {
			t.Fatalf("a sweep removed %d, error %v, with %d left", n, err, len(s.records))
		}
	}
	if n := len(s.named) + len(s.longIDs) + s.leased.Len() + s.done.Len() + s.unknown.Len(); n != 0 {
		t.Errorf("%d things are left of no record", n)
	}
}

// A full ledger forgets nothing, and takes claims again when records expire.
func TestStore_Full_RefusesFurtherKeysAndKeepsWhatItHas(t *testing.T) {
	const most = 3
	now := time.Unix(1_700_000_000, 0)
	s := New(Options{Retention: time.Hour, MaxRecords: most, Now: func() time.Time { return now }})
	claim := func(key byte) (ledger.Claim, bool, error) {
		c := ledger.Claim{Key: ledger.Digest{key}, ParentID: "t", Token: ledger.NewToken(), Lease: time.Minute}
		_, mine, err := s.Claim(t.Context(), c)
		return c, mine, err
	}
	for key := range byte(most) {
		c, mine, err := claim(key)
		if err != nil || !mine {
			t.Fatal(mine, err)
		}
		if key == 0 {
			continue // stays claimed
		}
		if err := errors.Join(s.MarkSending(t.Context(), c.Key, c.Token, time.Minute), s.MarkDone(t.Context(), c.Key, c.Token, "made")); err != nil {
			t.Fatal(err)
		}
	}
	if _, mine, err := claim(most); mine || !errors.Is(err, ledger.ErrFull) {
		t.Errorf("a key too many: %v %v", mine, err)
	}
	for key := range byte(most) {
		if _, mine, err := claim(key); mine || err != nil {
			t.Errorf("key %d is not kept: %v %v", key, mine, err)
		}
	}
	now = now.Add(time.Minute)
	if _, mine, err := claim(most); !mine || err != nil {
		t.Errorf("after a lease ran out: %v %v", mine, err)
	}
}
