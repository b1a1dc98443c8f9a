package server_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/test/await"
)

// certificateFile is a file of accounts whose callers have certificates.
const certificateFile = `accounts:
  acme: {token: "file://%[2]s/acme"}
  globex: {token: "file://%[2]s/globex"}
callers:
  billing:
    identities: [{dns: billing.example}]
    allow: [{accounts: [acme], methods: ["*"]}]
  ops:
    identities: [{uri: "spiffe://example/ops"}]
    allow: [{accounts: [acme, globex], methods: ["*"]}]
`

// withCertificates is a server that knows callers by their certificates.
type withCertificates struct {
	*withAccounts

	authority *authority.Authority
}

// startWithCertificates starts a server whose file of accounts has more at its end.
func startWithCertificates(t *testing.T, more ...string) *withCertificates {
	t.Helper()
	clients, err := authority.New("authority of the callers")
	must(t, err)
	w := &withCertificates{&withAccounts{issuer: newIssuer(t), diga: newKeyedUpstream(t), dir: t.TempDir()}, clients}
	for _, name := range []string{"acme", "globex"} {
		w.setToken(t, name, accountToken(name))
	}
	w.setFile(t, certificateFile+strings.Join(more, ""))
	authorities := filepath.Join(w.dir, "clients.pem")
	must(t, os.WriteFile(authorities, clients.PEM(), 0o600))
	cfg := settings(t, w.diga.URL)
	cfg.AccountsFile = w.file()
	cfg.TLS.CertFile, cfg.TLS.KeyFile = suiteTLS.files()
	cfg.TLS.ClientCAFile, cfg.TLS.ClientAuth = authorities, certs.ClientOptional
	w.digate = serveOnly(t, cfg)
	return w
}

// serveOnly runs a server without connecting to it.
func serveOnly(t *testing.T, cfg config.Config) *digate {
	t.Helper()
	d := &digate{log: new(record), ended: make(chan struct{})}
	var err error
	d.Server, err = newServer(t.Context(), cfg, d.log)
	must(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() {
		defer close(d.ended)
		d.result = d.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		if err := d.wait(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return d
}

// client returns the TLS of a caller with a certificate of the authority, which ends
// when it is said to, or of one without where there are no names.
func (w *withCertificates) client(t *testing.T, from *authority.Authority, ends time.Time, names ...string) *tls.Config {
	t.Helper()
	c := suiteTLS.client()
	if len(names) > 0 {
		cert, key, err := from.Issue(authority.Request{Names: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: ends})
		must(t, err)
		pair, err := tls.X509KeyPair(cert, key)
		must(t, err)
		// Go's client would keep a certificate to itself that the server does not ask for.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return c
}

func (w *withCertificates) connect(t *testing.T, c *tls.Config) integrationv1.IntegrationServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(w.GRPCAddr().String(), grpc.WithTransportCredentials(credentials.NewTLS(c.Clone())))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return integrationv1.NewIntegrationServiceClient(conn)
}

func TestAccounts_CallerWithACertificate_IsKnownOnBothProtocols(t *testing.T) {
	t.Parallel()
	w := startWithCertificates(t)
	stranger, err := authority.New("authority of strangers")
	must(t, err)
	later := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		client  *tls.Config
		account string
		token   string
		code    codes.Code
		status  int
		reason  string
	}{
		"a host name":            {w.client(t, w.authority, later, "billing.example"), "", "acme", codes.OK, 201, ""},
		"a SPIFFE id":            {w.client(t, w.authority, later, "ops", "spiffe://example/ops"), "globex", "globex", codes.OK, 201, ""},
		"several accounts":       {w.client(t, w.authority, later, "ops", "spiffe://example/ops"), "", "", codes.InvalidArgument, 422, "ACCOUNT_REQUIRED"},
		"another's host name":    {w.client(t, w.authority, later, "x.example"), "", "", codes.Unauthenticated, 401, "INVALID_CREDENTIAL"},
		"two callers' names":     {w.client(t, w.authority, later, "billing.example", "spiffe://example/ops"), "acme", "", codes.Unauthenticated, 401, "INVALID_CREDENTIAL"},
		"no certificate":         {w.client(t, w.authority, later), "", "", codes.Unauthenticated, 401, "MISSING_CREDENTIAL"},
		"of another authority":   {w.client(t, stranger, later, "billing.example"), "", "", codes.Unavailable, 0, ""},
		"an expired certificate": {w.client(t, w.authority, time.Now().Add(-time.Minute), "billing.example"), "", "", codes.Unavailable, 0, ""},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), await.Patience)
		defer cancel()
		if c.account != "" {
			ctx = withAccount(ctx, c.account)
		}
		_, err := w.connect(t, c.client).CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: accountTemplate})
		if e := apierror.FromError(err); err != nil && (e.Code != c.code || c.reason != "" && e.Reason != c.reason) || err == nil && c.code != codes.OK {
			t.Errorf("%s: gRPC: %v", name, err)
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: c.client.Clone(), DisableKeepAlives: true}}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+w.HTTPAddr().String()+"/v1/integration/template/"+accountTemplate+"/copy", strings.NewReader("{}"))
		must(t, err)
		if c.account != "" {
			r.Header.Set("Digate-Account", c.account)
		}
		resp, err := client.Do(r)
		if err != nil {
			if c.status != 0 {
				t.Errorf("%s: REST: %v", name, err)
			}
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(string(body), c.reason) {
			t.Errorf("%s: REST: %d %s", name, resp.StatusCode, body)
		}
		got, want := w.diga.took(), []string(nil)
		if c.token != "" {
			want = []string{accountToken(c.token), accountToken(c.token)}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: Diga was called with %q", name, got)
		}
	}
}

// A connection outlives the certificate that it was made with.
func TestAccounts_CertificateEnds_CallsAndStreamsOfItsConnectionEnd(t *testing.T) {
	t.Parallel()
	w := startWithCertificates(t)
	ends := time.Now().Add(3 * time.Second).Truncate(time.Second)
	rpc := w.connect(t, w.client(t, w.authority, ends, "billing.example"))
	stream, err := rpc.BulkCopyTemplate(t.Context())
	must(t, err)
	must(t, stream.Send(item(accountTemplate, "before")))
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	await.Value(t, time.After(time.Until(ends)+time.Millisecond), "the end of the certificate")
	must(t, stream.Send(item(accountTemplate, "after")))
	_, err = stream.Recv()
	if e := apierror.FromError(err); e.Reason != apierror.ReasonCredentialExpired {
		t.Errorf("the stream: %v", err)
	}
	_, err = rpc.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: accountTemplate})
	if e := apierror.FromError(err); e.Code != codes.Unauthenticated || e.Reason != apierror.ReasonInvalidCredential {
		t.Errorf("another call: %v", err)
	}
	if got := w.diga.took(); len(got) != 1 {
		t.Errorf("Diga was called %d times", len(got))
	}
}
