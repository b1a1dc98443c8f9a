package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// recorder is an IntegrationService that answers, or fails, and keeps the
// credentials that it saw.
type recorder struct {
	integrationv1.UnimplementedIntegrationServiceServer
	authorization chan string
	fail          error
}

func (r *recorder) CopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	r.authorization <- strings.Join(md.Get("authorization"), "|")
	if r.fail != nil {
		return nil, r.fail
	}
	return &integrationv1.CopyTemplateResponse{Integration: &integrationv1.Integration{Id: "id-1", Name: req.GetName()}}, nil
}

// serveRecorder runs a gRPC server of the test's own.
func serveRecorder(t *testing.T, r *recorder, opts ...grpc.ServerOption) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(opts...)
	integrationv1.RegisterIntegrationServiceServer(srv, r)
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	awaitPort(t, ln.Addr().String())
	return ln.Addr().String()
}

// awaitPort returns when a server has taken a connection.
func awaitPort(t *testing.T, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestCopy_Token_ComesFromFileElseEnvironment(t *testing.T) {
	r := &recorder{authorization: make(chan string, 1)}
	addr := serveRecorder(t, r)
	t.Setenv("DIGATE_TOKEN", " "+token+"-env\n")
	file := writeFile(t, "token", token+"-file\r\n")
	for want, args := range map[string][]string{
		"Bearer " + token + "-env":  {"copy", templateID, "--addr", addr},
		"Bearer " + token + "-file": {"copy", templateID, "--addr", addr, "--token-file", file},
	} {
		got := digate(t, args...)
		if got.code != exitDone {
			t.Fatalf("%+v", got)
		}
		checkNoSecret(t, got)
		if sent := <-r.authorization; sent != want {
			t.Errorf("sent %q, want %q", sent, want)
		}
	}
}

func TestCopy_NoGoodToken_IsSaidWithoutIt(t *testing.T) {
	r := &recorder{authorization: make(chan string, 1)}
	addr := serveRecorder(t, r)
	for value, want := range map[string]string{
		"":                "digate: no bearer token: set DIGATE_TOKEN or --token-file\n",
		" \n":             "digate: no bearer token: set DIGATE_TOKEN or --token-file\n",
		"hunter2 hunter2": "digate: DIGATE_TOKEN: a bearer token is one word of printable ASCII\n",
		"hunter2\nx":      "digate: DIGATE_TOKEN: a bearer token is one word of printable ASCII\n",
		"hunter2\u00e9":   "digate: DIGATE_TOKEN: a bearer token is one word of printable ASCII\n",
	} {
		t.Setenv("DIGATE_TOKEN", value)
		if got := digate(t, "copy", templateID, "--addr", addr); got.code != exitFailed || got.err != want {
			t.Errorf("%q: %+v", value, got)
		}
	}
	got := digate(t, "copy", templateID, "--addr", addr, "--token-file", writeFile(t, "token", "hunter2 hunter2"))
	if got.code != exitFailed || got.err != "digate: --token-file: a bearer token is one word of printable ASCII\n" {
		t.Errorf("%+v", got)
	}
	if len(r.authorization) != 0 {
		t.Error("a call was made")
	}
}

func TestCopy_TLS(t *testing.T) {
	https := httptest.NewTLSServer(nil)
	cert := https.TLS.Certificates[0]
	ca := writeFile(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: https.Certificate().Raw})))
	https.Close()
	r := &recorder{authorization: make(chan string, 1)}
	addr := serveRecorder(t, r, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{cert}})))
	plain := serveRecorder(t, &recorder{authorization: make(chan string, 1)})
	t.Setenv("DIGATE_TOKEN", token)

	got := digate(t, "copy", templateID, "--addr", addr, "--ca-file", ca, "--name", "n")
	if got.code != exitDone || !strings.Contains(got.out, "id-1") {
		t.Fatalf("%+v", got)
	}
	<-r.authorization

	for name, row := range map[string]struct {
		args []string
		code int
		want string
	}{
		"authority that is not trusted": {[]string{"--addr", addr, "--tls"}, exitNotSent, "certificate"},
		"another authority's file":      {[]string{"--addr", addr, "--ca-file", anotherAuthority(t)}, exitNotSent, "certificate"},
		"no TLS asked for":              {[]string{"--addr", addr}, exitNotSent, "no digate answers at " + addr},
		"no TLS offered":                {[]string{"--addr", plain, "--tls"}, exitNotSent, "TLS handshake"},
		"no certificate in the file":    {[]string{"--addr", addr, "--ca-file", writeFile(t, "x", "x")}, exitFailed, "--ca-file: there is no certificate in"},
	} {
		got := digate(t, append([]string{"copy", templateID}, row.args...)...)
		if got.code != row.code || !strings.Contains(got.err, row.want) {
			t.Errorf("%s: %+v", name, got)
		}
		checkNoSecret(t, got)
	}
	if len(r.authorization) != 0 {
		t.Error("a call was made")
	}
}

// anotherAuthority is a file with a certificate that nothing here was signed by.
func anotherAuthority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "other.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

func TestCopy_StatusOfAStranger_IsUnknownAndHarmless(t *testing.T) {
	r := &recorder{authorization: make(chan string, 1), fail: status.Error(codes.Unavailable, "a proxy\x1b[2J says no")}
	addr := serveRecorder(t, r)
	t.Setenv("DIGATE_TOKEN", token)
	got := digate(t, "copy", templateID, "--addr", addr)
	if _, bad := harmful(got.err); bad || got.code != exitUnknown || !strings.HasPrefix(got.err, "UNKNOWN: a proxy") {
		t.Errorf("%+v", got)
	}
}
