package handshake

import (
	"crypto/tls"
	"errors"
	"net"

	"google.golang.org/grpc/credentials"
)

// Credentials returns the credentials of a gRPC server behind a [Listener]. A call's
// peer has the state of its connection, as with gRPC's own.
func Credentials() credentials.TransportCredentials {
	return done{credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})}
}

// done are credentials of connections whose handshake is done.
type done struct {
	credentials.TransportCredentials
}

func (done) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return nil, nil, errors.New("the connection has no TLS")
	}
	return conn, Info(secured), nil
}

func (c done) Clone() credentials.TransportCredentials { return done{c.TransportCredentials.Clone()} }

// Info returns what a peer on this connection is known by.
func Info(conn *tls.Conn) credentials.TLSInfo {
	return credentials.TLSInfo{
		State:          conn.ConnectionState(),
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}
}
