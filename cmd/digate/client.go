package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/secret"
)

// defaultAddr is --addr where it is not given.
const defaultAddr = "127.0.0.1:9090"

// maxResponse bounds what the server answers, in bytes: a page can be larger than
// gRPC takes by itself.
const maxResponse = 64 << 20

// clientFlags say how to reach a running digate.
type clientFlags struct {
	Addr      string        `name:"addr" group:"Connection:" default:"127.0.0.1:9090" help:"The server's gRPC address."`
	TLS       bool          `name:"tls" group:"Connection:" help:"Use TLS."`
	CAFile    string        `name:"ca-file" group:"Connection:" type:"existingfile" placeholder:"FILE" help:"PEM file with the certificate authorities to trust, instead of the system's. Implies --tls."`
	TokenFile string        `name:"token-file" group:"Connection:" type:"existingfile" placeholder:"FILE" help:"File with the bearer token. Without it the token is what DIGATE_TOKEN holds."`
	Timeout   time.Duration `name:"timeout" group:"Connection:" default:"${timeout=60s}" help:"${timeout_help=Time for everything, connecting included.}"`
}

// Validate implements kong's hook.
func (c *clientFlags) Validate() error {
	if c.Timeout <= 0 {
		return errors.New("--timeout: must be more than 0")
	}
	return nil
}

// words are the flags again that lead another command to the same server.
func (c *clientFlags) words() []string {
	var words []string
	if c.Addr != defaultAddr {
		words = append(words, "--addr", c.Addr)
	}
	if c.TLS {
		words = append(words, "--tls")
	}
	if c.CAFile != "" {
		words = append(words, "--ca-file", c.CAFile)
	}
	if c.TokenFile != "" {
		words = append(words, "--token-file", c.TokenFile)
	}
	return words
}

func (c *clientFlags) token() (secret.String, error) {
	token, source := os.Getenv("DIGATE_TOKEN"), "DIGATE_TOKEN"
	if c.TokenFile != "" {
		var err error
		if token, err = readSecret(c.TokenFile, nil); err != nil {
			return secret.String{}, fmt.Errorf("--token-file: %w", err)
		}
		source = "--token-file"
	}
	token = strings.TrimSpace(token)
	if token == "" {
		return secret.String{}, errors.New("no bearer token: set DIGATE_TOKEN or --token-file")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return secret.String{}, fmt.Errorf("%s: a bearer token is one word of printable ASCII", source)
	}
	return secret.New(token), nil
}

func (c *clientFlags) credentials() (credentials.TransportCredentials, error) {
	if !c.TLS && c.CAFile == "" {
		return insecure.NewCredentials(), nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca-file: there is no certificate in %s", c.CAFile)
		}
	}
	return credentials.NewTLS(conf), nil
}

// unreachableError is a server that no connection could be made to: no call was
// begun.
type unreachableError struct{ text string }

func (e *unreachableError) Error() string { return e.text }

// connect returns a connection that is up, and a context with the credential
// and the deadline. It waits for the connection before a call is begun, so that
// a server that is not there is told from one that was lost.
func (c *clientFlags) connect(ctx context.Context, more ...grpc.DialOption) (context.Context, *grpc.ClientConn, func(), error) {
	token, err := c.token()
	if err != nil {
		return nil, nil, nil, err
	}
	creds, err := c.credentials()
	if err != nil {
		return nil, nil, nil, err
	}
	conn, err := grpc.NewClient(c.Addr, append([]grpc.DialOption{
		grpc.WithTransportCredentials(creds), grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponse)),
	}, more...)...)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("--addr: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	done := func() { cancel(); _ = conn.Close() }
	conn.Connect()
	for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
		if state == connectivity.TransientFailure || !conn.WaitForStateChange(ctx, state) {
			err := &unreachableError{fmt.Sprintf("no digate answers at %s: %s", c.Addr, whyNotReady(ctx, conn))}
			done()
			return nil, nil, nil, err
		}
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token.Reveal())
	return ctx, conn, done, nil
}

// whyNotReady asks a connection that cannot be made for its reason, which it
// tells only to a call: one that changes nothing.
func whyNotReady(ctx context.Context, conn *grpc.ClientConn) string {
	if ctx.Err() != nil {
		return map[bool]string{true: "interrupted", false: "timed out"}[errors.Is(ctx.Err(), context.Canceled)]
	}
	_, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	text := status.Convert(err).Message()
	if _, quoted, ok := strings.Cut(text, "desc = "); ok {
		if inner, err := strconv.Unquote(quoted); err == nil {
			text = inner
		}
	}
	return strings.TrimPrefix(strings.TrimPrefix(text, "transport: "), "Error while dialing: ")
}
