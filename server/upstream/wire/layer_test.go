//go:build unix

package wire

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/test/await"
)

// trusted issues the certificates of scripted upstreams.
var trusted = sync.OnceValue(func() *authority.Authority {
	a, err := authority.New("authority of a test")
	if err != nil {
		panic(err)
	}
	return a
})

// certificate returns a certificate of an authority for a scripted upstream.
func certificate(t testing.TB, a *authority.Authority, r authority.Request) tls.Certificate {
	t.Helper()
	cert, key, err := a.Issue(r)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// serverTLS returns the TLS of a scripted upstream in one version, with cipher suites that
// are those of [secrets].
func serverTLS(t testing.TB, version uint16) *tls.Config {
	t.Helper()
	return &tls.Config{
		Certificates: []tls.Certificate{certificate(t, trusted(), authority.Request{Names: []string{"127.0.0.1"}})},
		MinVersion:   version, MaxVersion: version, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	}
}

// trusting has a Direct trust the scripted upstreams.
func trusting(cfg *Config) {
	cfg.TLS = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	cfg.TLS.RootCAs.AppendCertsFromPEM(trusted().PEM())
}

// versions are those of TLS that a scripted upstream can speak.
var versions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

// overEach runs a test without TLS, for which it gets nil, and over each version of it.
func overEach(t *testing.T, test func(t *testing.T, secure *tls.Config)) {
	t.Helper()
	t.Parallel()
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		test(t, nil)
	})
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, serverTLS(t, version))
		})
	}
}

// serve hands each connection to a goroutine of its own, with its number from 1, until the
// test ends.
func serve(t testing.TB, secure *tls.Config, handle func(n int, c net.Conn)) (target string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		ended   bool
		all     []net.Conn
	)
	running.Go(func() {
		for n := 1; ; n++ {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			if all = append(all, raw); ended {
				_ = raw.Close()
			}
			mu.Unlock()
			c := raw
			if secure != nil {
				c = tls.Server(raw, secure)
			}
			running.Go(func() { handle(n, c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		ended = true
		for _, c := range all {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	if secure != nil {
		return "https://" + ln.Addr().String() + "/x"
	}
	return "http://" + ln.Addr().String() + "/x"
}

// awaitArrival waits until something has arrived on the connection that became idle last:
// bytes, or its end.
func awaitArrival(t testing.TB, d *Direct) {
	t.Helper()
	d.mu.Lock()
	raw := d.idle[len(d.idle)-1].socket.arrived.raw
	d.mu.Unlock()
	err := await.Poll(10*time.Second, nil, func() (err error) {
		controlErr := raw.Control(func(fd uintptr) {
			_, _, err = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		})
		if errors.Is(err, syscall.EAGAIN) {
			return errors.New("nothing has arrived")
		}
		return controlErr
	})
	if err != nil {
		t.Fatal(err)
	}
}
