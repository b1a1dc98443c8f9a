package server

import (
	"context"
	"crypto/x509"

	"github.com/digate/digate/server/contractwatch"
	"github.com/digate/digate/server/lifecycle"
)

// watchContract puts the watch of Diga's published contract on the stack, if it is
// enabled. The watch reads nothing before the server runs, and stops when the drain
// begins.
func (s *Server) watchContract(version string) error {
	if s.cfg.ContractWatch.Interval == 0 {
		return nil
	}
	watch, err := s.newContractWatch(version)
	if err != nil {
		return err
	}
	s.lifecycle.Push(&lifecycle.Part{Name: "contract watch", Serve: func(ctx context.Context) error {
		watch.Run(ctx)
		return nil
	}})
	return nil
}

// upstreamRoots returns the authorities that Diga's certificate is currently verified
// with, or nil for the system's.
func (s *Server) upstreamRoots() *x509.CertPool {
	if s.upstreamCertificates == nil {
		return nil
	}
	return s.upstreamCertificates.Current().Authorities
}

func (s *Server) newContractWatch(version string) (*contractwatch.Watch, error) {
	cfg, err := UpstreamConfig(s.cfg, version)
	if err != nil {
		return nil, err
	}
	return &contractwatch.Watch{
		Source:   contractwatch.Source{URL: s.cfg.ContractWatch.URL, UserAgent: cfg.UserAgent, Roots: s.upstreamRoots},
		Interval: s.cfg.ContractWatch.Interval, Compare: contractwatch.Compare, Log: s.log, Changes: s.telemetry.ContractCompared,
	}, nil
}
