package server

import (
	"context"
	"sync"

	"github.com/digate/digate/server/certs"
)

// Reloads reports whether the settings name a file that Reload reads or opens again.
func (s *Server) Reloads() bool {
	return s.cfg.AccountsFile != "" || s.cfg.TLS.Enabled() || !s.cfg.Upstream.Files().None() || s.cfg.Audit.Reopens()
}

// Reload reads the file of accounts with its tokens, and the files of certificates, at
// once, and opens the audit log again. What becomes of them is in the log. Reload returns
// when that is decided, or when the context ends. The server must run.
func (s *Server) Reload(ctx context.Context) {
	var reading sync.WaitGroup
	for _, w := range []*certs.Watch{s.certificates, s.upstreamCertificates} {
		if w != nil {
			reading.Go(func() { w.Look(ctx) })
		}
	}
	if s.access != nil && s.access.Store.Look() == nil {
		s.log.Info("the file of accounts was read", "hash", s.access.Store.Status().Hash)
	}
	if s.audit != nil {
		s.audit.Reopen()
	}
	reading.Wait()
}
