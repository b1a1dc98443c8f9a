package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/accounts"
)

const quotaFile = `accounts:
  acme: {token: "env://A", requests_per_second: 4, copies_per_day: 3}
  globex: {token: "env://A"}
callers:
  billing:
    identities: [{dns: billing.example}]
    requests_per_second: 2
    copies_per_day: 2
    allow: [{accounts: ["*"], methods: ["*"]}]
  slow:
    identities: [{dns: slow.example}]
    requests_per_second: 0.1
    allow: [{accounts: ["*"], methods: ["*"]}]
  free:
    identities: [{dns: free.example}]
    allow: [{accounts: ["*"], methods: ["*"]}]
`

// take takes n requests, and returns how many of them were refused, and the last
// refusal.
func take(m *accounts.Meter, s *accounts.Set, caller, account string, n int, isCopy bool) (refused int, last string, wait time.Duration) {
	for range n {
		if err := m.Take(s.Caller(caller), s.Account(account), isCopy); err != nil {
			var r *accounts.QuotaError
			if !errors.As(err, &r) {
				return -1, err.Error(), 0
			}
			refused, last, wait = refused+1, err.Error(), r.Wait
		}
	}
	return refused, last, wait
}

func TestMeter_RequestsASecond_AreThoseOfTheCallerAndOfTheAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := parse(t, quotaFile), accounts.NewMeter()
		for _, step := range []struct {
			after           time.Duration
			caller, account string
			n, refused      int
			whose           string
			wait            time.Duration
		}{
			{0, "billing", "globex", 3, 1, "caller billing, which is 2,", 500 * time.Millisecond},
			{0, "billing", "acme", 1, 1, "caller billing, which is 2,", 500 * time.Millisecond},
			{0, "free", "globex", 1000, 0, "", 0},
			{0, "free", "acme", 5, 1, "account acme, which is 4,", 250 * time.Millisecond}, // billing's refused one did not count
			{100 * time.Millisecond, "free", "acme", 1, 1, "account acme, which is 4,", 150 * time.Millisecond},
			{150 * time.Millisecond, "free", "acme", 2, 1, "account acme, which is 4,", 250 * time.Millisecond},
			{0, "slow", "globex", 2, 1, "caller slow, which is 0.1,", 10 * time.Second},
			{10 * time.Second, "slow", "globex", 1, 0, "", 0},
			{time.Hour, "billing", "globex", 5, 3, "caller billing, which is 2,", 500 * time.Millisecond}, // nothing is saved up
		} {
			time.Sleep(step.after)
			refused, last, wait := take(m, s, step.caller, step.account, step.n, false)
			if refused != step.refused || wait != step.wait || step.whose != "" && last != "requests_per_second of the "+step.whose+" is used up" {
				t.Errorf("%+v: %d refused, %q, wait %v", step, refused, last, wait)
			}
		}
	})
}

func TestMeter_CopiesADay_EndAtMidnightUTC(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
		time.Sleep(6 * time.Hour)
		s, m := parse(t, quotaFile), accounts.NewMeter()
		check := func(what, caller, account string, n, refused int, whose string, wait time.Duration) {
			t.Helper()
			got, last, w := take(m, s, caller, account, n, true)
			if got != refused || w != wait || !strings.Contains(last, whose) {
				t.Errorf("%s: %d refused, %q, wait %v", what, got, last, w)
			}
		}
		check("billing's two", "billing", "globex", 2, 0, "", 0)
		time.Sleep(time.Hour)
		check("a third", "billing", "globex", 1, 1, "copies_per_day of the caller billing, which is 2 and begins anew at 0:00 UTC,", 17*time.Hour)
		check("another's", "free", "acme", 3, 0, "", 0)
		time.Sleep(time.Second)
		check("another's fourth", "free", "acme", 1, 1, "copies_per_day of the account acme", 17*time.Hour-time.Second)
		if refused, _, _ := take(m, s, "free", "acme", 1, false); refused != 0 {
			t.Error("what is no copy is refused")
		}
		m.GiveBack(s.Caller("free"), s.Account("acme"))
		check("one that was given back", "free", "acme", 2, 1, "account acme", 17*time.Hour-time.Second)
		time.Sleep(17*time.Hour - 2*time.Second)
		check("a second before midnight", "billing", "globex", 1, 1, "caller billing", time.Second)
		time.Sleep(time.Second)
		check("the next day", "billing", "globex", 2, 0, "", 0)
		m.GiveBack(s.Caller("free"), s.Account("acme")) // of the day before
		check("and not more", "free", "acme", 4, 1, "account acme", 24*time.Hour)
	})
}

// A quota that is changed is in force at once, and one that is not is not begun anew.
func TestMeter_FileIsReadAnew_LiftsNoQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := parse(t, quotaFile), accounts.NewMeter()
		take(m, s, "billing", "globex", 2, true)
		again := parse(t, quotaFile)
		if refused, last, _ := take(m, again, "billing", "globex", 1, false); refused != 1 {
			t.Errorf("a request: %d refused, %s", refused, last)
		}
		wider := parse(t, strings.Replace(strings.Replace(quotaFile, "requests_per_second: 2", "requests_per_second: 20", 1), "copies_per_day: 2", "copies_per_day: 5", 1))
		time.Sleep(time.Second)
		if refused, last, _ := take(m, wider, "billing", "globex", 4, true); refused != 1 || !strings.Contains(last, "which is 5 ") {
			t.Errorf("a wider quota: %d refused, %s", refused, last)
		}
		none := parse(t, strings.Replace(strings.Replace(quotaFile, "    requests_per_second: 2\n", "", 1), "    copies_per_day: 2\n", "", 1))
		if refused, last, _ := take(m, none, "billing", "globex", 1000, true); refused != 0 {
			t.Errorf("no quota: %d refused, %s", refused, last)
		}
	})
}

func TestMeter_Wait_IsForASecondAndNotForADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := parse(t, quotaFile), accounts.NewMeter()
		billing, globex := s.Caller("billing"), s.Account("globex")
		began := time.Now()
		for range 6 {
			if err := m.Wait(t.Context(), billing, globex, false); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("six requests took %v", took)
		}
		short, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		began = time.Now()
		if err := m.Wait(short, billing, globex, false); !errors.As(err, new(*accounts.QuotaError)) || time.Since(began) != 0 {
			t.Errorf("too little time: %v after %v", err, time.Since(began))
		}
		gone, leave := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, leave)
		if err := m.Wait(gone, billing, globex, false); !errors.Is(err, context.Canceled) || time.Since(began) != 100*time.Millisecond {
			t.Errorf("the caller leaves: %v after %v", err, time.Since(began))
		}
		time.Sleep(time.Hour)
		take(m, s, "billing", "globex", 2, true)
		time.Sleep(time.Second)
		began = time.Now()
		if err := m.Wait(t.Context(), billing, globex, true); err == nil || time.Since(began) != 0 {
			t.Errorf("a day: %v after %v", err, time.Since(began))
		}
	})
}

func TestMeter_OneAccountIsUsedUp_AnotherIsNot(t *testing.T) {
	t.Parallel()
	s, m := parse(t, quotaFile), accounts.NewMeter()
	for i := range 100 {
		_, _, _ = take(m, s, "free", "acme", 10, true)
		if refused, last, _ := take(m, s, "free", "globex", 10, true); refused != 0 {
			t.Fatal(fmt.Sprint(i, last))
		}
	}
}

// An operator sees how much of a quota is used, and how often it was used up. A copy of a
// stream that waits is not refused.
func TestMeter_Load_ShowsWhatIsUsedAndRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := parse(t, quotaFile), accounts.NewMeter()
		take(m, s, "billing", "acme", 4, true)
		take(m, s, "slow", "acme", 1, false)
		if err := m.Wait(t.Context(), s.Caller("slow"), s.Account("globex"), false); err != nil {
			t.Error(err)
		}
		if err := m.Wait(t.Context(), s.Caller("billing"), s.Account("globex"), true); err == nil {
			t.Error("a copy too many was taken")
		}
		want := []accounts.QuotaLoad{
			{Of: "caller", Name: "billing", Quota: "requests_per_second", Limit: 2},
			{Of: "caller", Name: "billing", Quota: "copies_per_day", Used: 2, Limit: 2, Refused: 3},
			{Of: "caller", Name: "slow", Quota: "requests_per_second", Used: 1, Limit: 1},
			{Of: "account", Name: "acme", Quota: "requests_per_second", Limit: 4},
			{Of: "account", Name: "acme", Quota: "copies_per_day", Used: 2, Limit: 3},
		}
		if got := m.Load(s); !slices.Equal(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		take(m, s, "slow", "acme", 1, false)
		if got := m.Load(s)[2]; got.Refused != 1 {
			t.Errorf("%+v", got)
		}
		ctx, leave := context.WithCancel(t.Context())
		for range 2 {
			go func() { _ = m.Wait(ctx, s.Caller("slow"), s.Account("acme"), true) }()
		}
		synctest.Wait()
		if got := m.Load(s); got[2].Waiting != 2 || got[0].Waiting != 0 {
			t.Errorf("two that wait: %+v", got)
		}
		leave()
		synctest.Wait()
		if got := m.Load(s)[2]; got.Waiting != 0 {
			t.Errorf("nobody waits: %+v", got)
		}
	})
}
