package handshake

import (
	"crypto/tls"
	"errors"
	"net"

	"google.golang.org/grpc/credentials"
)

// Credentials returns the credentials of a gRPC server with a [Listener]. A call's peer
// has the TLS state of its connection, as with gRPC's own credentials.
func Credentials() credentials.TransportCredentials {
	return done{credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})}
}

// done are the credentials of connections whose handshake is complete.
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

// Info returns the TLS information about the peer of a connection.
func Info(conn *tls.Conn) credentials.TLSInfo {
	return credentials.TLSInfo{
		State:          conn.ConnectionState(),
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}
}
