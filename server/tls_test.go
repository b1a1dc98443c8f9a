package server_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/server/certs/certstest"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/test/await"
)

// reload is how often the servers under test read their files.
const reload = 20 * time.Millisecond

// withPair has a server use a certificate of the authority, in a directory that is
// returned.
func withPair(t *testing.T, a *certstest.Authority, cfg *config.Config) (dir string) {
	t.Helper()
	dir = t.TempDir()
	cfg.TLS.CertFile, cfg.TLS.KeyFile = a.Pair(t, dir, "127.0.0.1", "one.test")
	cfg.TLS.Reload = reload
	return dir
}

// dialTLS returns a client of a gRPC server whose certificate is checked so.
func dialTLS(t *testing.T, d *digate, config *tls.Config) integrationv1.IntegrationServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(d.GRPCAddr().String(), grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return integrationv1.NewIntegrationServiceClient(conn)
}

// httpTLS returns an HTTP client that speaks this protocol, over connections that are
// checked so.
func httpTLS(t *testing.T, config *tls.Config, http2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: http2, DisableCompression: true}
	if !http2 {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP1(true)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Callers call all the time, on connections that they keep and on new ones, while the
// certificate changes again and again. No call fails.
func TestReload_UnderLoad_FailsNoCall(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	a := certstest.NewAuthority(t)
	var dir string
	d := start(t, up.url(), func(c *config.Config) { dir = withPair(t, a, c) })
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	called := make(chan struct{})
	done := func() {
		select {
		case called <- struct{}{}:
		default:
		}
	}
	fail := func(how string, err error) {
		if ctx.Err() == nil {
			t.Errorf("%s: %v", how, err)
		}
	}
	kept := dialTLS(t, d, a.Client(t))
	callers.Go(func() {
		for ctx.Err() == nil {
			if _, err := kept.CopyTemplate(withToken(ctx, token), &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
				fail("a kept gRPC connection", err)
			}
			done()
		}
	})
	for _, h2 := range []bool{true, false} {
		client := httpTLS(t, a.Client(t), h2)
		callers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if n%3 == 0 {
					client.CloseIdleConnections() // the next is a new one
				}
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.rest+copyPath, strings.NewReader("{}"))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+token)
				resp, err := client.Do(r)
				if err != nil {
					fail(fmt.Sprintf("REST, HTTP/2 %v", h2), err)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusCreated {
					fail("REST", fmt.Errorf("status %d", resp.StatusCode))
				}
				done()
			}
		})
	}
	for n := range 5 {
		a.Pair(t, dir, "127.0.0.1", fmt.Sprintf("v%d.test", n))
		d.log.await(t, n+1, `"msg":"new certificates are in use"`)
		for range 10 {
			await.Value(t, called, "a call after a change")
		}
	}
	stop()
	callers.Wait()
}

func TestReload_FileThatCannotBeUsed_IsRefusedLoggedAndMeasured(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	a := certstest.NewAuthority(t)
	var dir string
	d := start(t, up.url(), func(c *config.Config) { dir = withPair(t, a, c) })
	end := time.Now().Add(10 * time.Hour).Truncate(time.Second)
	cert, key := a.Issue(t, authority.Request{Names: []string{"127.0.0.1"}, NotAfter: end})
	certstest.Write(t, filepath.Join(dir, "tls.crt"), cert)
	certstest.Write(t, filepath.Join(dir, "tls.key"), key)
	d.log.await(t, 1, `"msg":"new certificates are in use","side":"listeners","not_after":"`+end.UTC().Format(time.RFC3339))
	certstest.Write(t, filepath.Join(dir, "tls.key"), []byte("-----BEGIN PRIVATE KEY-----\n"+marker+"\n"))
	d.log.await(t, 1, `"msg":"new certificates were refused, and those from before go on","side":"listeners","cause":"--tls-key-file: there is no private key in `)
	if _, err := dialTLS(t, d, a.Client(t)).CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
		t.Errorf("with the certificate from before: %v", err)
	}
	metrics := d.scrape(t)
	for _, want := range []string{
		fmt.Sprintf(`digate_tls_certificate_not_after_timestamp_seconds{side="listeners"} %g`, float64(end.Unix())),
		`digate_tls_reload_refused{side="listeners"} 1`,
		`digate_tls_reloads_total{result="refused",side="listeners"} 1`,
		`digate_tls_reloads_total{result="taken",side="listeners"} 1`,
		`digate_tls_handshakes_total{listener="grpc",result="done"} 1`,
		`digate_tls_handshakes_total{listener="rest",result="distrusted"} 0`,
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// A certificate counts in the handshake. When it ends, connections go on, whoever looks at
// it makes no new one, and another certificate mends that.
func TestReload_CertificateEndsDuringAStream_StreamGoesOnAndTheNextCertificateIsTaken(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	a := certstest.NewAuthority(t)
	var dir string
	ends := time.Now().Add(3 * time.Second).Truncate(time.Second)
	d := start(t, up.url(), func(c *config.Config) {
		dir = withPair(t, a, c)
		cert, key := a.Issue(t, authority.Request{Names: []string{"127.0.0.1"}, NotBefore: ends.Add(-time.Hour), NotAfter: ends})
		certstest.Write(t, c.TLS.CertFile, cert)
		certstest.Write(t, c.TLS.KeyFile, key)
	})
	copyOn := func(rpc integrationv1.IntegrationServiceClient) error {
		_, err := rpc.CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID})
		return err
	}
	kept := dialTLS(t, d, a.Client(t))
	stream, err := kept.BulkCopyTemplate(withToken(t.Context(), token))
	must(t, err)
	next := func(name string) {
		t.Helper()
		must(t, stream.Send(item(templateID, name)))
		if resp, err := stream.Recv(); err != nil || resp.GetIntegration() == nil {
			t.Fatalf("%s: %v, %v", name, resp, err)
		}
	}
	next("before")
	await.Value(t, time.After(time.Until(ends)+time.Millisecond), "the end of the certificate")
	next("after")
	if err := copyOn(kept); err != nil {
		t.Errorf("another call on the connection: %v", err)
	}
	if err := copyOn(dialTLS(t, d, a.Client(t))); status.Code(err) != codes.Unavailable {
		t.Errorf("a new connection: %v", err)
	}
	a.Pair(t, dir, "127.0.0.1")
	d.log.await(t, 1, `"msg":"new certificates are in use"`)
	if err := copyOn(dialTLS(t, d, a.Client(t))); err != nil {
		t.Errorf("a new connection with the next certificate: %v", err)
	}
	next("with another certificate")
}

// A caller whose authority is trusted no more makes no new connection, not even by
// resuming an old one. A connection that is there goes on.
func TestReload_AuthorityOfCallersThatIsGone_TrustsNobody(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(200, nil, full))
	a, callers, others := certstest.NewAuthority(t), certstest.NewAuthority(t), certstest.NewAuthority(t)
	d := start(t, up.url(), func(c *config.Config) {
		withPair(t, a, c)
		c.TLS.ClientCAFile = callers.File
	})
	client := a.Client(t, callers.Certificate(t, authority.Request{Names: []string{"caller"}}))
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	call := func(c *http.Client) error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.rest+"/v1/integration/"+id, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := c.Do(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		return err
	}
	kept := httpTLS(t, client.Clone(), false)
	for _, c := range []*http.Client{httpTLS(t, client.Clone(), true), kept} {
		if err := call(c); err != nil {
			t.Fatal(err)
		}
	}
	certstest.Write(t, callers.File, others.PEM())
	d.log.await(t, 1, `"msg":"new certificates are in use"`)
	if err := call(httpTLS(t, client.Clone(), true)); err == nil {
		t.Error("a caller of the authority that is gone was served")
	}
	if err := call(kept); err != nil {
		t.Errorf("on the connection from before: %v", err)
	}
}

func TestClientAuth_CertificateOfTheCaller_IsRequiredOrOptional(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	a, callers := certstest.NewAuthority(t), certstest.NewAuthority(t)
	for mode, want := range map[string]map[string]bool{
		certs.ClientRequired: {"valid": true, "none": false, "another's": false},
		certs.ClientOptional: {"valid": true, "none": true, "another's": false},
	} {
		d := start(t, up.url(), func(c *config.Config) {
			withPair(t, a, c)
			c.TLS.ClientCAFile, c.TLS.ClientAuth = callers.File, mode
		})
		for name, shown := range map[string][]tls.Certificate{
			"valid": {callers.Certificate(t, authority.Request{Names: []string{"caller"}})},
			"none":  nil, "another's": {a.Certificate(t, authority.Request{Names: []string{"caller"}})},
		} {
			client := a.Client(t, shown...)
			// Without this, Go's client shows none that the server would refuse.
			client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &append(shown, tls.Certificate{})[0], nil
			}
			_, err := dialTLS(t, d, client).CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID})
			if served := err == nil; served != want[name] || !served && status.Code(err) != codes.Unavailable {
				t.Errorf("%s, %s: gRPC %v", mode, name, err)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.rest+copyPath, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			resp, err := httpTLS(t, client, false).Do(r)
			if served := err == nil; served != want[name] {
				t.Errorf("%s, %s: REST %v", mode, name, err)
			}
			if err == nil {
				_ = resp.Body.Close()
			}
		}
	}
}

// The admin listener is for probes and scrapers, which have no certificate.
func TestAdminTLS_AsksForNoCertificate(t *testing.T) {
	t.Parallel()
	a := certstest.NewAuthority(t)
	d := start(t, "http://127.0.0.1:1", func(c *config.Config) {
		c.TLS.CertFile, c.TLS.KeyFile = suiteTLS.files()
		c.TLS.ClientCAFile, c.TLS.Admin = a.File, true
	})
	for _, h2 := range []bool{true, false} {
		if got := send(t, httpTLS(t, suiteTLS.client(), h2), http.MethodGet, d.adminURL, "/readyz", ""); got.status != http.StatusOK {
			t.Errorf("got %d", got.status)
		}
	}
	if got := send(t, d.http, http.MethodGet, "http://"+d.AdminAddr().String(), "/readyz", ""); got.status != http.StatusBadRequest {
		t.Errorf("without TLS: %d", got.status)
	}
}

// No variable of Go's brings older versions back: they are refused by the settings, and
// not only by what Go does by default.
func TestTLS_OlderThan12_IsRefusedOnEveryListener(t *testing.T) {
	t.Setenv("GODEBUG", "tls10server=1")
	d := start(t, "http://127.0.0.1:1", func(c *config.Config) {
		c.TLS.CertFile, c.TLS.KeyFile = suiteTLS.files()
		c.TLS.Admin = true
	})
	for listener, at := range map[string]struct {
		addr     net.Addr
		protocol string
	}{"grpc": {d.GRPCAddr(), "h2"}, "rest": {d.HTTPAddr(), "http/1.1"}, "admin": {d.AdminAddr(), "http/1.1"}} {
		for version, accepted := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
			config := suiteTLS.client()
			config.MinVersion, config.MaxVersion, config.NextProtos = version, version, []string{at.protocol}
			dialer := &tls.Dialer{Config: config, NetDialer: &net.Dialer{Timeout: await.Patience}}
			c, err := dialer.DialContext(t.Context(), "tcp", at.addr.String())
			switch {
			case err == nil:
				_ = c.Close()
				if !accepted {
					t.Errorf("%s: %s was spoken", listener, tls.VersionName(version))
				}
			case accepted, !strings.Contains(err.Error(), "protocol version not supported"):
				t.Errorf("%s: %s: %v", listener, tls.VersionName(version), err)
			}
		}
	}
}

func TestTLS_RequestWithoutIt_HearsWhy(t *testing.T) {
	t.Parallel()
	a := certstest.NewAuthority(t)
	d := start(t, "http://127.0.0.1:1", func(c *config.Config) { withPair(t, a, c) })
	got := send(t, d.http, http.MethodPost, "http://"+d.HTTPAddr().String(), copyPath, strings.Repeat("x", 10_000))
	if got.status != http.StatusBadRequest || got.header.Get("Digate-Outcome") != "NOT_SENT" {
		t.Errorf("got %d %v", got.status, got.header)
	}
	wantEnvelope(t, got.body, "TLS_REQUIRED")
	d.log.await(t, 1, `"msg":"a TLS handshake failed","listener":"rest","result":"no_tls","peer":"127.0.0.1:`)
}

// Authorities and the certificate that is shown to Diga are replaced without a restart.
func TestReload_CertificatesForDiga_AreThoseOfNewConnections(t *testing.T) {
	t.Parallel()
	a, callers := certstest.NewAuthority(t), certstest.NewAuthority(t)
	shown := make(chan string, 1)
	diga := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, full)
		shown <- r.TLS.PeerCertificates[0].Subject.CommonName
	}))
	diga.TLS = &tls.Config{
		Certificates: []tls.Certificate{a.Certificate(t, authority.Request{Names: []string{"127.0.0.1"}})},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: callers.Pool(t), MinVersion: tls.VersionTLS12,
	}
	diga.StartTLS()
	t.Cleanup(diga.Close)
	dir := t.TempDir()
	d := start(t, diga.URL, func(c *config.Config) {
		c.TLS.Reload, c.Upstream.CAFile = reload, a.File
		c.Upstream.ClientCertFile, c.Upstream.ClientKeyFile = callers.Pair(t, dir, "one")
	})
	for n, name := range []string{"one", "two"} {
		if n > 0 {
			callers.Pair(t, dir, name)
			d.log.await(t, n, `"msg":"new certificates are in use","side":"upstream"`)
		}
		if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e != nil {
			t.Fatal(e)
		}
		if got := <-shown; got != name {
			t.Errorf("shown: %s, want %s", got, name)
		}
	}
	certstest.Write(t, a.File, callers.PEM())
	d.log.await(t, 2, `"msg":"new certificates are in use","side":"upstream"`)
	if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e == nil || e.Outcome != exchange.NotSent {
		t.Errorf("got %v", e)
	}
	if want := `digate_tls_certificate_not_after_timestamp_seconds{side="upstream"} `; !strings.Contains(d.scrape(t), want) {
		t.Errorf("the metrics lack %s", want)
	}
}
