package server

import (
	"slices"
	"strings"

	"github.com/digate/digate/server/telemetry"
)

// useIssuers has the metrics and the readiness tell of the issuers of tokens.
func (s *Server) useIssuers(issuers telemetry.IssuersState) {
	s.issuers = issuers
	s.telemetry.WatchIssuers(issuers)
}

// withoutKeys returns the names of the issuers whose keys were never read, and reports
// whether nobody can authenticate therefore.
func (s *Server) withoutKeys() (names []string, nobody bool) {
	if s.issuers == nil {
		return nil, false
	}
	all := s.issuers.KeysRead()
	for name, read := range all {
		if read.IsZero() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	byCertificate := s.access != nil && s.verifiesCertificates() && s.access.Store.Set().HasCertificates()
	return names, len(names) > 0 && len(names) == len(all) && !byCertificate
}

// neverRead says that the keys of issuers were never read.
func neverRead(issuers []string) string {
	return "the keys of these issuers were never read: " + strings.Join(issuers, ", ")
}
