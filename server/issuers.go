package server

import (
	"slices"
	"strings"

	"github.com/digate/digate/server/telemetry"
)

// watchIssuers adds the state of the token issuers to the metrics and to readiness.
func (s *Server) watchIssuers(issuers telemetry.IssuersState) {
	s.issuers = issuers
	s.telemetry.WatchIssuers(issuers)
}

// issuersWithoutKeys returns the names of the issuers whose keys were never read, and reports
// whether this means that nobody can authenticate.
func (s *Server) issuersWithoutKeys() (names []string, nobody bool) {
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

// neverRead returns the message that the keys of these issuers were never read.
func neverRead(issuers []string) string {
	return "the keys of these issuers were never read: " + strings.Join(issuers, ", ")
}
