package accounts

import "time"

// QuotaLoad is the current use of a quota.
type QuotaLoad struct {
	// Of is caller or account, and Name the name in the file.
	Of, Name string
	// Quota is the key in the file: requests_per_second or copies_per_day.
	Quota       string
	Used, Limit float64
	// Refused counts the requests that exceeded the quota.
	Refused uint64
	// Waiting counts the copies of bulk streams that are waiting for the quota.
	Waiting int
}

// Load returns the current use of each quota in the file, first of callers and then of
// accounts.
func (m *Meter) Load(s *Set) (all []QuotaLoad) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	add := func(of, name string, q Quota, meters map[string]*meter) {
		if q.PerSecond == 0 && q.CopiesPerDay < 0 {
			return
		}
		u := use{name: name, quota: q, meter: find(meters, name, now)}
		if q.PerSecond > 0 {
			u.drain(now)
			all = append(all, QuotaLoad{of, name, "requests_per_second", u.meter.used, max(q.PerSecond, 1), u.meter.refused, u.meter.waiting})
		}
		if q.CopiesPerDay >= 0 {
			all = append(all, QuotaLoad{of, name, "copies_per_day", float64(u.meter.copies), float64(q.CopiesPerDay), u.meter.refusedCopies, 0})
		}
	}
	for _, c := range s.Callers() {
		add("caller", c.Name, c.Quota, m.callers)
	}
	for _, a := range s.Accounts() {
		add("account", a.Name, a.Quota, m.accounts)
	}
	return all
}
