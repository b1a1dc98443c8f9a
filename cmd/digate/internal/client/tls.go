package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/digate/digate/server/socket"
)

// tlsProbe is how long a server may take to show that it speaks TLS, or why it does not
// with this client.
const tlsProbe = 2 * time.Second

// onlyTLS is why there is no connection without TLS.
const onlyTLS = "what is there speaks TLS"

// whyNoTLS returns why no connection could be made, where that is because of TLS and
// gRPC's own reason does not say so: a client without TLS finds the connection closed,
// and one whose certificate was refused often cannot write.
func (f *Flags) whyNoTLS(ctx context.Context, why string) string {
	config, err := f.config()
	if err != nil {
		return why
	}
	if config != nil {
		if err := probe(ctx, f.Addr, config); err != nil && strings.HasPrefix(err.Error(), "remote error: tls: ") {
			return err.Error()
		}
		return why
	}
	spoken := errors.New(onlyTLS)
	if errors.Is(probe(ctx, f.Addr, &tls.Config{
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, //nolint:gosec // the handshake fails, and nothing is sent
		VerifyConnection: func(tls.ConnectionState) error { return spoken },
	}), spoken) {
		return onlyTLS
	}
	return why
}

// probe makes a TLS handshake and waits for what the server says then: one that refuses
// the client's certificate says so after the client's part of the handshake.
func probe(ctx context.Context, addr string, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, tlsProbe)
	defer cancel()
	network := "tcp"
	if path, ok := socket.Path(addr); ok {
		network, addr = "unix", path
	}
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	if host, _, err := net.SplitHostPort(addr); err == nil {
		config.ServerName = host
	}
	raw, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(tlsProbe)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}
