package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/secret"
)

// DefaultAddr is the default of --addr.
const DefaultAddr = "127.0.0.1:9090"

// Flags say how to reach a running digate. A command that embeds them can set
// the variables timeout and timeout_help.
type Flags struct {
	Addr      string        `name:"addr" group:"Connection:" default:"127.0.0.1:9090" help:"The server's gRPC address, HOST:PORT or unix:PATH."`
	TLS       bool          `name:"tls" group:"Connection:" help:"Use TLS."`
	CAFile    string        `name:"ca-file" group:"Connection:" type:"existingfile" placeholder:"FILE" help:"PEM file with the certificate authorities to trust, instead of the system's. Implies --tls."`
	CertFile  string        `name:"cert-file" group:"Connection:" type:"existingfile" placeholder:"FILE" help:"PEM file with a client certificate, for a server that knows callers by it. No token is needed then. Implies --tls."`
	KeyFile   string        `name:"key-file" group:"Connection:" type:"existingfile" placeholder:"FILE" help:"PEM file with the key of --cert-file."`
	TokenFile string        `name:"token-file" group:"Connection:" type:"existingfile" placeholder:"FILE" help:"File with the bearer token; - is standard input, and a terminal asks for it. Without it, the token is taken from DIGATE_TOKEN."`
	Account   string        `name:"account" group:"Connection:" placeholder:"NAME" help:"The account to use, for a caller that has several. A server without accounts ignores it."`
	Timeout   time.Duration `name:"timeout" group:"Connection:" default:"${timeout=60s}" help:"${timeout_help=Time limit for everything, connecting included.}"`

	read secret.String // by ReadToken
}

// ReadToken reads the token where that is possible only once, which is on standard input.
// A command that calls Connect calls it before.
func (f *Flags) ReadToken(ctx context.Context, std term.IO) (err error) {
	if f.TokenFile == "-" && f.read.IsZero() {
		f.read, err = Token(ctx, std, f.TokenFile)
	}
	return err
}

// Words returns the flags with which another command reaches the same server.
func (f *Flags) Words() []string {
	var words []string
	if f.Addr != DefaultAddr {
		words = append(words, "--addr", f.Addr)
	}
	if f.TLS {
		words = append(words, "--tls")
	}
	if f.CAFile != "" {
		words = append(words, "--ca-file", f.CAFile)
	}
	if f.CertFile != "" {
		words = append(words, "--cert-file", f.CertFile, "--key-file", f.KeyFile)
	}
	if f.TokenFile != "" {
		words = append(words, "--token-file", f.TokenFile)
	}
	if f.Account != "" {
		words = append(words, "--account", f.Account)
	}
	return words
}

// token returns the token that ReadToken has read, or else that of the file or of
// DIGATE_TOKEN.
func (f *Flags) token(ctx context.Context) (secret.String, error) {
	if !f.read.IsZero() {
		return f.read, nil
	}
	return Token(ctx, term.IO{}, f.TokenFile)
}

// HasToken reports whether there is a token.
func (f *Flags) HasToken(ctx context.Context) bool {
	_, err := f.token(ctx)
	return err == nil
}

// authorization returns the value of the authorization header, empty for a caller with a
// certificate and no token.
func (f *Flags) authorization(ctx context.Context) (string, error) {
	if f.CertFile != "" && f.TokenFile == "" && os.Getenv("DIGATE_TOKEN") == "" {
		return "", nil
	}
	token, err := f.token(ctx)
	if err != nil {
		return "", err
	}
	return "Bearer " + token.Reveal(), nil
}

// Token reads the bearer token from a file, of which - is standard input, or from
// DIGATE_TOKEN if path is empty. No error quotes it.
func Token(ctx context.Context, std term.IO, path string) (secret.String, error) {
	token, source := os.Getenv("DIGATE_TOKEN"), "DIGATE_TOKEN"
	if path != "" {
		var err error
		if token, err = term.ReadSecret(ctx, std, path, "Token"); err != nil {
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

// secured reports whether connections have TLS.
func (f *Flags) secured() bool { return f.TLS || f.CAFile != "" || f.CertFile != "" }

// Credentials returns how connections are secured.
func (f *Flags) Credentials() (credentials.TransportCredentials, error) {
	config, err := f.config()
	switch {
	case err != nil:
		return nil, err
	case config == nil:
		return insecure.NewCredentials(), nil
	default:
		return credentials.NewTLS(config), nil
	}
}

// config returns the TLS of connections, nil for plain text.
func (f *Flags) config() (*tls.Config, error) {
	switch {
	case (f.CertFile == "") != (f.KeyFile == ""):
		return nil, errors.New("--cert-file and --key-file belong together")
	case !f.secured():
		return nil, nil
	}
	material, err := certs.Files{
		Certificate: certs.File{Flag: "cert-file", Path: f.CertFile},
		Key:         certs.File{Flag: "key-file", Path: f.KeyFile},
		Authorities: certs.File{Flag: "ca-file", Path: f.CAFile},
	}.Load()
	if err != nil {
		return nil, err
	}
	return material.ClientConfig(), nil
}
