package ledgertest

import (
	"encoding/binary"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/digate/digate/server/ledger"
)

// numbered returns a claim that costs nothing to make.
func numbered(n int64) (c ledger.Claim) {
	// Spread as digests are.
	binary.BigEndian.PutUint64(c.Key[:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(c.Token[:], uint64(n))
	c.ParentID, c.Lease = "00000000-0000-4000-8000-000000000000", Lease
	return c
}

// Benchmark measures the cost of a call from its claim to its end, one after the
// other and many at a time. The store is empty.
func Benchmark(b *testing.B, s ledger.Store) {
	var last atomic.Int64
	one := func(b *testing.B) {
		n := last.Add(1)
		if err := life(b, s, numbered(n), strconv.FormatInt(n, 10)); err != nil {
			b.Error(err)
		}
	}
	b.Run("life", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			one(b)
		}
	})
	b.Run("life-parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(64)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				one(b)
			}
		})
	})
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		c := newClaim()
		claim(b, s, c)
		for b.Loop() {
			if _, found, err := s.Get(b.Context(), c.Key); err != nil || !found {
				b.Fatal(found, err)
			}
		}
	})
}
