package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/server/secret"
)

// clientFlags say how to reach a running digate.
type clientFlags struct {
	Addr      string        `name:"addr" default:"127.0.0.1:9090" help:"The server's gRPC address."`
	TLS       bool          `name:"tls" help:"Use TLS."`
	CAFile    string        `name:"ca-file" type:"existingfile" help:"PEM file with the certificate authorities to trust, instead of the system's. Implies --tls."`
	TokenFile string        `name:"token-file" type:"existingfile" help:"File with the bearer token. Without it the token is the environment variable DIGATE_TOKEN."`
	Timeout   time.Duration `name:"timeout" default:"60s" help:"Time for the whole call."`
	Output    string        `name:"output" short:"o" enum:"text,json" default:"text" help:"text or json."`
}

// maxSecretFile bounds a file that holds one secret, in bytes.
const maxSecretFile = 64 << 10

func (c *clientFlags) token() (secret.String, error) {
	token := os.Getenv("DIGATE_TOKEN")
	if c.TokenFile != "" {
		b, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return secret.String{}, err
		}
		token = string(b)
	}
	token = strings.TrimSpace(token)
	if token == "" {
		return secret.String{}, errors.New("no bearer token: set DIGATE_TOKEN or --token-file")
	}
	return secret.New(token), nil
}

// errUnreachable is a server that no connection could be made to: no call was
// begun.
type errUnreachable struct{ error }

// connect returns a connection that is up, and a context with the credential
// and the deadline. It waits for the connection before a call is begun, so that
// a server that is not there is told from one that was lost.
func (c *clientFlags) connect(ctx context.Context) (context.Context, *grpc.ClientConn, func(), error) {
	token, err := c.token()
	if err != nil {
		return nil, nil, nil, err
	}
	creds := insecure.NewCredentials()
	if c.TLS || c.CAFile != "" {
		conf := &tls.Config{MinVersion: tls.VersionTLS12}
		if c.CAFile != "" {
			pem, err := os.ReadFile(c.CAFile)
			if err != nil {
				return nil, nil, nil, err
			}
			conf.RootCAs = x509.NewCertPool()
			if !conf.RootCAs.AppendCertsFromPEM(pem) {
				return nil, nil, nil, fmt.Errorf("--ca-file: there is no certificate in %s", c.CAFile)
			}
		}
		creds = credentials.NewTLS(conf)
	}
	conn, err := grpc.NewClient(c.Addr, grpc.WithTransportCredentials(creds), grpc.WithDisableServiceConfig())
	if err != nil {
		return nil, nil, nil, fmt.Errorf("--addr: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	done := func() { cancel(); _ = conn.Close() }
	conn.Connect()
	for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
		if state == connectivity.TransientFailure || !conn.WaitForStateChange(ctx, state) {
			done()
			return nil, nil, nil, errUnreachable{fmt.Errorf("no digate answers at %s", c.Addr)}
		}
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token.Reveal())
	return ctx, conn, done, nil
}
