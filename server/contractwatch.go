package server

import (
	"context"

	"github.com/digate/digate/server/contractwatch"
)

// watchContract puts the watch of Diga's published contract on the stack, if there is
// to be one. It reads nothing before the server runs, and ends when the drain begins.
func (s *Server) watchContract(version string) error {
	if s.cfg.ContractWatch.Interval == 0 {
		return nil
	}
	watch, err := s.newContractWatch(version)
	if err != nil {
		return err
	}
	s.lifecycle.push(&part{name: "contract watch", serve: func(ctx context.Context) error {
		watch.Run(ctx)
		return nil
	}})
	return nil
}

func (s *Server) newContractWatch(version string) (*contractwatch.Watch, error) {
	cfg, err := UpstreamConfig(s.cfg, version)
	if err != nil {
		return nil, err
	}
	return &contractwatch.Watch{
		Source:   contractwatch.Source{URL: s.cfg.ContractWatch.URL, UserAgent: cfg.UserAgent, Roots: cfg.Roots},
		Interval: s.cfg.ContractWatch.Interval, Compare: contractwatch.Compare, Log: s.log, Changes: s.telemetry.ContractCompared,
	}, nil
}
