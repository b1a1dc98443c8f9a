package handshake_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/server/certs/certstest"
	"github.com/digate/digate/server/handshake"
	"github.com/digate/digate/test/await"
)

// ended is how a handshake ended.
type ended struct {
	result handshake.Result
	err    error
}

// served is a listener under test. What it accepts is echoed.
type served struct {
	*handshake.Listener
	authority *certstest.Authority
	config    atomic.Pointer[tls.Config]
	ended     chan ended
}

func serve(t *testing.T, change ...func(*handshake.Config)) *served {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{authority: certstest.NewAuthority(t), ended: make(chan ended, 100)}
	s.use(t, "one.test")
	cfg := handshake.Config{
		TLS: s.config.Load, Timeout: await.Patience, MaxPending: 10,
		Ended: func(r handshake.Result, _ net.Addr, err error) { s.ended <- ended{r, err} },
	}
	for _, f := range change {
		f(&cfg)
	}
	s.Listener = handshake.Listen(ln, cfg)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := s.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return s
}

// use has new connections served with a certificate of that name.
func (s *served) use(t *testing.T, name string) {
	t.Helper()
	s.config.Store(&tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"},
		Certificates: []tls.Certificate{s.authority.Certificate(t, authority.Request{Names: []string{name, "all.test"}})},
	})
}

// dial opens a connection without TLS.
func (s *served) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(await.Patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// client opens a connection with TLS.
func (s *served) client(t *testing.T, change ...func(*tls.Config)) *tls.Conn {
	t.Helper()
	config := s.authority.Client(t)
	config.ServerName, config.NextProtos = "all.test", []string{"h2"}
	for _, f := range change {
		f(config)
	}
	return tls.Client(s.dial(t), config)
}

// await returns the cause of the next handshake's end, which must be that.
func (s *served) await(t *testing.T, want handshake.Result) string {
	t.Helper()
	got := await.Value(t, s.ended, string(want))
	if got.result != want || (got.err == nil) != (want == handshake.Done) {
		t.Errorf("got %s (%v), want %s", got.result, got.err, want)
	}
	if got.err == nil {
		return ""
	}
	return got.err.Error()
}

func echoes(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != "hello" {
		t.Fatalf("%q, %v", b, err)
	}
}

func TestListener_NewCertificate_IsThatOfNewConnectionsAlone(t *testing.T) {
	t.Parallel()
	s := serve(t)
	sessions := tls.NewLRUClientSessionCache(1)
	shown := func(conn *tls.Conn) string {
		echoes(t, conn)
		s.await(t, handshake.Done)
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	resume := func(c *tls.Config) { c.ClientSessionCache = sessions }
	first := s.client(t, resume)
	if got := shown(first); got != "one.test" {
		t.Errorf("got %s", got)
	}
	s.use(t, "two.test")
	second := s.client(t, resume)
	if got := shown(second); got != "two.test" || second.ConnectionState().DidResume {
		t.Errorf("got %s, resumed: %v", got, second.ConnectionState().DidResume)
	}
	echoes(t, first)
}

func TestListener_HandshakeThatStalls_EndsAndKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *handshake.Config) { c.Timeout = 2 * time.Second })
	silent := s.dial(t)
	echoes(t, s.client(t)) // while the other says nothing
	s.await(t, handshake.Done)
	s.await(t, handshake.TimedOut)
	if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

func TestListener_TooManyHandshakes_EndTheOldest(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *handshake.Config) { c.MaxPending = 2 })
	oldest := s.dial(t)
	s.dial(t)
	s.dial(t)
	s.await(t, handshake.Displaced)
	if _, err := oldest.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	for range 3 { // each is a third one
		echoes(t, s.client(t))
		got := map[handshake.Result]int{await.Value(t, s.ended, "a handshake").result: 1}
		got[await.Value(t, s.ended, "a handshake").result]++
		if got[handshake.Done] != 1 {
			t.Errorf("got %v", got)
		}
		s.dial(t)
	}
}

// Whoever begins many handshakes ends its own ones.
func TestListener_TooManyHandshakesOfOneAddress_EndNoneOfAnother(t *testing.T) {
	t.Parallel()
	var first sync.Once
	s := serve(t, func(c *handshake.Config) {
		c.MaxPending = 3
		c.Address = func(net.Addr) netip.Addr { // the first connection is another's
			addr := netip.MustParseAddr("192.0.2.2")
			first.Do(func() { addr = netip.MustParseAddr("192.0.2.1") })
			return addr
		}
	})
	lone := s.client(t)
	for range 5 {
		s.dial(t)
	}
	for range 3 {
		s.await(t, handshake.Displaced)
	}
	echoes(t, lone)
	s.await(t, handshake.Done)
}

func TestListener_EachFailure_HasItsResult(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *handshake.Config) { c.NeedsProtocol = true })
	handshakes := func(change func(*tls.Config)) func() error {
		return func() error {
			conn := s.client(t, change)
			if err := conn.Handshake(); err != nil {
				return err
			}
			_, err := conn.Read(make([]byte, 1)) // TLS 1.3: the server's verdict
			return err
		}
	}
	for name, c := range map[string]struct {
		do   func() error
		want handshake.Result
	}{
		"HTTP/2 without TLS":        {func() error { _, err := io.WriteString(s.dial(t), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); return err }, handshake.NoTLS},
		"an authority unknown":      {handshakes(func(c *tls.Config) { c.RootCAs = certstest.NewAuthority(t).Pool(t) }), handshake.Distrusted},
		"another name":              {handshakes(func(c *tls.Config) { c.ServerName = "another.test" }), handshake.Distrusted},
		"an old version":            {handshakes(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), handshake.Failed},
		"no protocol":               {handshakes(func(c *tls.Config) { c.NextProtos = nil }), handshake.Failed},
		"another protocol":          {handshakes(func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }), handshake.Failed},
		"a connection that is lost": {func() error { return s.dial(t).Close() }, handshake.Failed},
	} {
		err := c.do()
		if got := s.await(t, c.want); got == "" {
			t.Errorf("%s: no error, the client has %v", name, err)
		}
	}
}

func TestListener_ClientCertificate_IsAskedForAndChecked(t *testing.T) {
	t.Parallel()
	s := serve(t)
	config := s.config.Load().Clone()
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, s.authority.Pool(t)
	s.config.Store(config)
	for name, c := range map[string]struct {
		shown []tls.Certificate
		want  handshake.Result
	}{
		"none":                 {nil, handshake.NoCertificate},
		"of another authority": {[]tls.Certificate{certstest.NewAuthority(t).Certificate(t, authority.Request{})}, handshake.NoCertificate},
		"that ended":           {[]tls.Certificate{s.authority.Certificate(t, authority.Request{NotAfter: time.Now().Add(-time.Minute)})}, handshake.NoCertificate},
		"valid":                {[]tls.Certificate{s.authority.Certificate(t, authority.Request{})}, handshake.Done},
	} {
		conn := s.client(t, func(cfg *tls.Config) {
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if c.shown == nil {
					return new(tls.Certificate), nil
				}
				return &c.shown[0], nil
			}
		})
		_ = conn.Handshake()
		if err := s.await(t, c.want); c.want == handshake.NoCertificate && err == "" {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestListener_HTTPWithoutTLS_HearsWhy(t *testing.T) {
	t.Parallel()
	const response = "HTTP/1.1 400 Bad Request\r\n\r\nuse TLS"
	s := serve(t, func(c *handshake.Config) { c.Plain = []byte(response) })
	for _, request := range []string{"GET / HTTP/1.1\r\n\r\n", "GET http://x/ HTTP/1.1\r\n\r\n", "POST /x HTTP/1.1\r\n\r\n" + strings.Repeat("x", 32<<10), "DELETE /x HTTP/1.1\r\n\r\n", "PATCH /x HTTP/1.1\r\n\r\n"} {
		conn := s.dial(t)
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, len(response))
		if _, err := io.ReadFull(conn, b); err != nil || string(b) != response {
			t.Errorf("%.8s: %q, %v", request, b, err)
		}
		_ = conn.Close()
		s.await(t, handshake.NoTLS)
	}
}

func TestListener_Close_EndsHandshakesAndWhatWasNotAccepted(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{authority: certstest.NewAuthority(t), ended: make(chan ended, 100)}
	s.use(t, "one.test")
	s.Listener = handshake.Listen(ln, handshake.Config{TLS: s.config.Load, Timeout: await.Patience, MaxPending: 10,
		Ended: func(r handshake.Result, _ net.Addr, err error) { s.ended <- ended{r, err} }})
	first := make(chan error, 1)
	go func() { conn, err := s.Accept(); _ = conn.Close(); first <- err }()
	if err := s.client(t).Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := await.Value(t, first, "the first connection"); err != nil {
		t.Fatal(err)
	}
	waiting := s.client(t) // its handshake is done, and nobody accepts it
	if err := waiting.Handshake(); err != nil {
		t.Fatal(err)
	}
	silent := s.dial(t)
	s.await(t, handshake.Done)
	s.await(t, handshake.Done)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for name, conn := range map[string]net.Conn{"silent": silent, "waiting": waiting} {
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: the connection is open", name)
		}
	}
	if _, err := s.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
}
