package main

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// recorder is an IntegrationService that responds, or fails, and keeps the
// credentials that it saw.
type recorder struct {
	integrationv1.UnimplementedIntegrationServiceServer
	authorization chan string
	prefer        chan string // nil for a test that does not look
	fail          error
}

func (r *recorder) CopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	r.authorization <- strings.Join(md.Get("authorization"), "|")
	if r.prefer != nil {
		r.prefer <- strings.Join(md.Get("prefer"), "|")
	}
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

// How long the caller is ready to wait is the server's to know.
func TestCopy_Wait_ReachesTheServer(t *testing.T) {
	r := &recorder{authorization: make(chan string, 1), prefer: make(chan string, 1)}
	addr := serveRecorder(t, r)
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	for want, wait := range map[string][]string{"": nil, "wait=0": {"--wait", "0s"}, "wait=90": {"--wait=1m30s"}} {
		if got := digate(t, append([]string{"copy", clitest.TemplateID, "--addr", addr}, wait...)...); got.Code != client.ExitDone {
			t.Fatalf("%+v", got)
		}
		<-r.authorization
		if sent := <-r.prefer; sent != want {
			t.Errorf("sent %q, want %q", sent, want)
		}
	}
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
	t.Setenv("DIGATE_TOKEN", " "+clitest.Token+"-env\n")
	file := clitest.WriteFile(t, "token", clitest.Token+"-file\r\n")
	for want, args := range map[string][]string{
		"Bearer " + clitest.Token + "-env":  {"copy", clitest.TemplateID, "--addr", addr},
		"Bearer " + clitest.Token + "-file": {"copy", clitest.TemplateID, "--addr", addr, "--token-file", file},
	} {
		got := digate(t, args...)
		if got.Code != client.ExitDone {
			t.Fatalf("%+v", got)
		}
		clitest.CheckNoSecret(t, got)
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
		if got := digate(t, "copy", clitest.TemplateID, "--addr", addr); got.Code != client.ExitFailed || got.Err != want {
			t.Errorf("%q: %+v", value, got)
		}
	}
	got := digate(t, "copy", clitest.TemplateID, "--addr", addr, "--token-file", clitest.WriteFile(t, "token", "hunter2 hunter2"))
	if got.Code != client.ExitFailed || got.Err != "digate: --token-file: a bearer token is one word of printable ASCII\n" {
		t.Errorf("%+v", got)
	}
	if len(r.authorization) != 0 {
		t.Error("a call was made")
	}
}

func TestCopy_TLS(t *testing.T) {
	https := httptest.NewTLSServer(nil)
	cert := https.TLS.Certificates[0]
	ca := clitest.WriteFile(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: https.Certificate().Raw})))
	https.Close()
	r := &recorder{authorization: make(chan string, 1)}
	addr := serveRecorder(t, r, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{cert}})))
	plain := serveRecorder(t, &recorder{authorization: make(chan string, 1)})
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	_, another := clitest.Certificate(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))

	got := digate(t, "copy", clitest.TemplateID, "--addr", addr, "--ca-file", ca, "--name", "n")
	if got.Code != client.ExitDone || !strings.Contains(got.Out, "id-1") {
		t.Fatalf("%+v", got)
	}
	<-r.authorization

	for name, row := range map[string]struct {
		args []string
		code int
		want string
	}{
		"authority that is not trusted": {[]string{"--addr", addr, "--tls"}, client.ExitNotSent, "certificate"},
		"another authority's file":      {[]string{"--addr", addr, "--ca-file", another}, client.ExitNotSent, "certificate"},
		"no TLS asked for":              {[]string{"--addr", addr}, client.ExitNotSent, "no digate at " + addr},
		"no TLS offered":                {[]string{"--addr", plain, "--tls"}, client.ExitNotSent, "TLS handshake"},
		"no certificate in the file":    {[]string{"--addr", addr, "--ca-file", clitest.WriteFile(t, "x", "x")}, client.ExitFailed, "--ca-file: there is no certificate in"},
	} {
		got := digate(t, append([]string{"copy", clitest.TemplateID}, row.args...)...)
		if got.Code != row.code || !strings.Contains(got.Err, row.want) {
			t.Errorf("%s: %+v", name, got)
		}
		clitest.CheckNoSecret(t, got)
	}
	if len(r.authorization) != 0 {
		t.Error("a call was made")
	}
}

func TestCopy_StatusOfAStranger_IsUnknownAndHarmless(t *testing.T) {
	r := &recorder{authorization: make(chan string, 1), fail: status.Error(codes.Unavailable, "a proxy\x1b[2J says no")}
	addr := serveRecorder(t, r)
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	got := digate(t, "copy", clitest.TemplateID, "--addr", addr)
	if _, bad := clitest.Harmful(got.Err); bad || got.Code != client.ExitUnknown || !strings.HasPrefix(got.Err, "UNKNOWN: a proxy") {
		t.Errorf("%+v", got)
	}
}
