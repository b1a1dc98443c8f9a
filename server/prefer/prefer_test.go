package prefer_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/server/prefer"
)

func TestWait_Values_AreReadAsRFC7240HasThem(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values []string
		want   time.Duration
		ok     bool
	}{
		{nil, 0, false},
		{[]string{""}, 0, false},
		{[]string{"wait=0"}, 0, true},
		{[]string{"wait=10"}, 10 * time.Second, true},
		{[]string{"Wait = 10"}, 10 * time.Second, true},
		{[]string{`wait="10"`}, 10 * time.Second, true},
		{[]string{"respond-async, wait=10; foo=bar"}, 10 * time.Second, true},
		{[]string{"return=minimal", "wait=3"}, 3 * time.Second, true},
		{[]string{"wait=3, wait=9"}, 3 * time.Second, true},
		{[]string{"wait=18446744073709551615"}, (1 << 20) * time.Second, true},
		{[]string{"wait"}, 0, false},
		{[]string{"wait=-1"}, 0, false},
		{[]string{"wait=1.5"}, 0, false},
		{[]string{"wait=99999999999999999999999"}, 0, false},
		{[]string{"waiting=1"}, 0, false},
	} {
		if got, ok := prefer.Wait(tt.values); got != tt.want || ok != tt.ok {
			t.Errorf("%q: %v, %v", tt.values, got, ok)
		}
	}
}

func TestFromContext_EitherProtocol_HasThePreference(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{
		"rest": prefer.NewContext(t.Context(), 2*time.Second),
		"grpc": prefer.WithMetadata(t.Context(), metadata.Pairs("prefer", "wait=2")),
	} {
		if got, ok := prefer.FromContext(ctx); got != 2*time.Second || !ok {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
	for _, ctx := range []context.Context{t.Context(), prefer.WithMetadata(t.Context(), metadata.Pairs("prefer", "wait"))} {
		if _, ok := prefer.FromContext(ctx); ok {
			t.Error("nobody said so")
		}
	}
}
