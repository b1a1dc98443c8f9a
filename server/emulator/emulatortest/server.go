// Package emulatortest starts the emulator for a test in Go.
package emulatortest

import (
	"net/http/httptest"
	"testing"

	"github.com/digate/digate/server/emulator"
)

// Server is an emulator that listens on loopback. Failures of its methods fail the test.
type Server struct {
	*emulator.Emulator
	URL string // such as http://127.0.0.1:40001

	tb testing.TB
}

// NewServer starts an emulator with control over HTTP. It is stopped at the end of the
// test.
func NewServer(tb testing.TB, o emulator.Options) *Server {
	tb.Helper()
	o.Control = true
	e := emulator.New(o)
	srv := httptest.NewServer(e)
	tb.Cleanup(func() {
		e.Close() // ends hanging responses, for which the server would wait
		srv.Close()
	})
	return &Server{e, srv.URL, tb}
}

// Load replaces the whole content of the emulator by a state in YAML or JSON.
func (s *Server) Load(state string) {
	s.tb.Helper()
	parsed, err := emulator.ParseState([]byte(state))
	if err != nil {
		s.tb.Fatalf("emulator: the state: %v", err)
	}
	s.Emulator.Load(parsed)
}

// Fail adds a rule by which calls fail or are slow.
func (s *Server) Fail(r emulator.Rule) {
	s.tb.Helper()
	if err := s.Emulator.Fail(r); err != nil {
		s.tb.Fatalf("emulator: the rule: %v", err)
	}
}

// Calls returns the calls that match, oldest first.
func (s *Server) Calls(m emulator.Match) []emulator.Call {
	s.tb.Helper()
	calls, err := s.Emulator.Calls(m)
	if err != nil {
		s.tb.Fatalf("emulator: the match: %v", err)
	}
	return calls
}
