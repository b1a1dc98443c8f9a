package apierror_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/server/apierror"
)

func TestInDoubt_IDsThatDoNotFit_AreLeftOut(t *testing.T) {
	t.Parallel()
	uuids := slices.Repeat([]string{"0b6a0f43-3e5e-4c53-9d5b-6f0f6f3b2f11"}, 12)
	for name, c := range map[string]struct{ ids, want []string }{
		"uuids":     {uuids, uuids[:apierror.MaxIDs]},
		"long":      {[]string{strings.Repeat("x", 255), uuids[0]}, []string{strings.Repeat("x", 255), uuids[0]}},
		"too long":  {[]string{uuids[0], strings.Repeat("x", 1<<20), uuids[1]}, uuids[:1]},
		"no id":     {[]string{"", "a,b", uuids[0]}, uuids[:1]},
		"no ids":    {nil, nil},
		"all large": {[]string{strings.Repeat("x", 1<<20)}, nil},
	} {
		e := apierror.InDoubt(apierror.Integration, c.ids)
		if !slices.Equal(e.IntegrationIDs, c.want) || strings.Contains(e.Message, "created") != (len(c.want) > 0) {
			t.Errorf("%s: %.300q in %.300s", name, e.IntegrationIDs, e.Message)
		}
		if back := apierror.FromStatus(e.GRPCStatus()); !slices.Equal(back.IntegrationIDs, c.want) {
			t.Errorf("%s: %q after the wire", name, back.IntegrationIDs)
		}
	}
}
