package server

import (
	"context"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/listing"
	"github.com/digate/digate/server/loglevel"
	"github.com/digate/digate/server/status"
)

// statusPatience is how long the status page waits for the ledger. After that, it shows
// the last known values.
const statusPatience = 2 * time.Second

// maxDoubtsCounted is how many doubts the status page groups by age at most.
const maxDoubtsCounted = 1000

// status returns the current state of the server.
func (s *Server) status(ctx context.Context) status.Status {
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	now := time.Now()
	st := status.Status{
		Version: s.version, Now: now.UTC(), Started: s.started.UTC(), UptimeSeconds: now.Sub(s.started).Seconds(),
		NotReady: s.notReady(),
		Listeners: []status.Listener{
			{Name: "gRPC", Address: s.GRPCAddr().String()}, {Name: "REST", Address: s.HTTPAddr().String()}, {Name: "admin", Address: s.AdminAddr().String()},
		},
		Upstream: s.upstreamStatus(), Ledger: s.ledgerStatus(ctx),
		Drift: s.telemetry.DriftSeen(), Errors: s.telemetry.Failures(),
		Settings: s.cfg.Effective(s.origins),
		Links:    []string{status.JSONPath, "/metrics", "/healthz", "/readyz", listing.Path},
	}
	if s.audit != nil {
		a := s.audit.State()
		st.Audit = &status.Audit{To: s.cfg.Audit.Name(), Required: s.audit.Required(), Failing: a.Failing, Lost: a.Lost, Refused: a.Refused}
		if a.Failing != "" {
			at := a.Since.UTC()
			st.Audit.FailingSince = &at
		}
	}
	if s.access != nil {
		st.Accounts = s.accountsStatus(now)
	}
	if s.logLevel != nil {
		st.Links = append(st.Links, loglevel.Path)
		if l := s.logLevel.State(); l.Level != l.Setting {
			st.LogLevel = &status.LogLevel{Level: l.Level, Setting: l.Setting, Until: l.Until}
		}
	}
	if s.cfg.Admin.Pprof {
		st.Links = append(st.Links, "/debug/pprof/")
	}
	return st
}

// accountsStatus returns the state of the file of accounts.
func (s *Server) accountsStatus(now time.Time) *status.Accounts {
	set, in := s.access.Store.Set(), s.access.Store.Status()
	var accounts, callers, issuers []string
	for _, a := range set.Accounts() {
		accounts = append(accounts, a.Name)
	}
	for _, c := range set.Callers() {
		callers = append(callers, c.Name)
	}
	for _, i := range set.Issuers() {
		issuers = append(issuers, i.Name)
	}
	a := &status.Accounts{
		File: s.cfg.AccountsFile, Hash: in.Hash, Loaded: in.Loaded.UTC(), AgeSeconds: now.Sub(in.Loaded).Seconds(),
		Accounts: status.NewNames(accounts, s.access.Store.RefusedTokens()), Callers: status.NewNames(callers, nil),
		Issuers: status.NewNames(issuers, s.issuers.Failing()),
	}
	if in.Refused {
		at := in.RefusedSince.UTC()
		a.RefusedSince = &at
	}
	return a
}

func (s *Server) upstreamStatus() status.Upstream {
	l := s.upstream.Load()
	return status.Upstream{
		URL: s.cfg.Upstream.URL, Circuit: l.Circuit, InFlight: l.InFlight, InFlightLimit: l.Limit,
		Queued: l.Queued, QueuedBytes: l.QueuedBytes, AccountsLimited: l.Limited, AccountsPaused: l.Paused,
		Overload: l.Evidence, Refused: l.Refused,
	}
}

func (s *Server) ledgerStatus(ctx context.Context) status.Ledger {
	_ = s.watch.Look(ctx) // a failure is part of the ledger's health
	h := s.watch.Health()
	l := status.Ledger{
		Store: s.engine.Name, Durable: s.engine.Durable, Lost: string(h.Lost), CountedTo: ledger.MaxCounted,
		ConnectionsInUse: h.Pool.InUse, ConnectionsLimit: h.Pool.Limit,
	}
	if h.Lost != "" {
		at := h.LostAt.UTC()
		l.LostSince = &at
	}
	var doubts []status.Doubt
	if !h.LookedAt.IsZero() {
		l.Records = make(map[string]int)
		for state := ledger.Claimed; state <= ledger.Unknown; state++ {
			l.Records[state.String()] = h.Stats.Records[state]
		}
		found, err := s.ledger.List(ctx, ledger.Query{State: ledger.Unknown, Limit: maxDoubtsCounted})
		if err == nil {
			for _, r := range found {
				doubts = append(doubts, status.Doubt{
					Record: r.Key.RecordName(), Method: r.Method, ParentID: r.ParentID, AgeSeconds: max(0, time.Since(r.ClaimedAt).Seconds()),
				})
			}
		}
	}
	l.SetDoubts(doubts)
	return l
}
