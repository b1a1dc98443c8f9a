package peer

import (
	"encoding/json"
	"net/http"

	"github.com/digate/digate/bench/peers/internal/process"
	"github.com/digate/digate/bench/peers/internal/upstream"
)

// serveUpstream serves what stands in for Diga.
func serveUpstream(s Settings, c *Control) (process.Serving, error) {
	config, err := s.serverTLS()
	if err != nil {
		return process.Serving{}, err
	}
	u, err := upstream.Listen(config, c.Delay)
	if err != nil {
		return process.Serving{}, err
	}
	c.mux.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(u.Counts())
	})
	return process.Serving{REST: u.Addr()}, nil
}
