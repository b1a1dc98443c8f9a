package memory

import (
	"reflect"
	"testing"

	"github.com/digate/digate/server/ledger"
)

// The garbage collector would look at each pointer that there is for each record.
func TestStore_WhatGrowsWithTheRecords_HasNoPointers(t *testing.T) {
	s := New(Options{})
	for _, holds := range []any{record{}, s.records, s.named, s.places.chunks[:0]} {
		of := reflect.TypeOf(holds)
		if of.Kind() == reflect.Slice { // of pointers to chunks, which are few
			of = of.Elem().Elem()
		}
		if of.Kind() == reflect.Map {
			checkNoPointers(t, of.Key())
			of = of.Elem()
		}
		checkNoPointers(t, of)
	}
}

func checkNoPointers(t *testing.T, of reflect.Type) {
	t.Helper()
	switch kind := of.Kind(); kind {
	case reflect.Struct:
		for field := range of.Fields() {
			checkNoPointers(t, field.Type)
		}
	case reflect.Array:
		checkNoPointers(t, of.Elem())
	case reflect.String, reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		t.Errorf("%v is a %v", of, kind)
	default:
	}
}

// A call's record takes memory for good only where there are more records than ever.
func TestStore_CopyInAPlaceThatBecameFree_AllocatesNothing(t *testing.T) {
	s := New(Options{})
	c := ledger.Claim{
		Key: ledger.NewDigest(), ParentID: "7b0c1f6e-2a3c-4b50-8888-8dd25736052a", Method: "CopyTemplate",
		Token: ledger.NewToken(), Caller: 1, Lease: ledger.MaxLease,
	}
	ctx := t.Context()
	if got := testing.AllocsPerRun(100, func() {
		if _, mine, err := s.Claim(ctx, c); !mine || err != nil {
			t.Error(mine, err)
		}
		if err := s.MarkSending(ctx, c.Key, c.Token, ledger.MaxLease); err != nil {
			t.Error(err)
		}
		if err := s.Release(ctx, c.Key, c.Token); err != nil {
			t.Error(err)
		}
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}
