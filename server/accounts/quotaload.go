package accounts

import "time"

// QuotaLoad is how much of a quota is used.
type QuotaLoad struct {
	// Of is caller or account, whose Name is that of the file.
	Of, Name string
	// Quota is the key of the file: requests_per_second or copies_per_day.
	Quota       string
	Used, Limit float64
	// Refused counts the requests for which it was used up.
	Refused uint64
	// Waiting counts the copies of bulk streams that wait for it.
	Waiting int
}

// Load returns the load of each quota of a file, of callers and then of accounts.
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
