package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
)

// Alive sends a request to the server's own admin listener and returns an error if the
// response does not arrive. The server must be running.
func (s *Server) Alive(ctx context.Context) error {
	at := s.AdminAddr()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, at.Network(), at.String())
		},
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // it connects to its own process, whatever the certificate says
	}
	scheme := "http"
	if s.admin.tls != nil {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://localhost/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the admin listener responds with %s", resp.Status)
	}
	return nil
}
