package server

import (
	"context"
	"sync"

	"github.com/digate/digate/server/certs"
)

// Reloads reports whether the settings name a file that [Server.Reload] reads or reopens.
func (s *Server) Reloads() bool {
	return s.cfg.AccountsFile != "" || s.cfg.TLS.Enabled() || !s.cfg.Upstream.Files().None() || s.cfg.Audit.Reopens()
}

// Reload reads the file of accounts, its token files and the certificate files at once,
// and reopens the audit log. It logs the result. It returns when all of this is done or
// the context ends. The server must be running.
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
