package main

import (
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/server/certs/certstest"
)

// Each cause why there is no TLS connection is named, with what to do.
func TestTLS_EachCause_IsNamed(t *testing.T) {
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	a, other := certstest.NewAuthority(t), certstest.NewAuthority(t)
	serve := func(r authority.Request, change ...func(*tls.Config)) string {
		config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{a.Certificate(t, r)}}
		for _, f := range change {
			f(config)
		}
		return serveRecorder(t, &recorder{authorization: make(chan string, 1)}, grpc.Creds(credentials.NewTLS(config)))
	}
	here := authority.Request{Names: []string{"127.0.0.1"}}
	good := serve(here)
	expired := serve(authority.Request{Names: here.Names, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	elsewhere := serve(authority.Request{Names: []string{"digate.example"}})
	asking := serve(here, func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, a.Pool(t) })
	plain := serveRecorder(t, &recorder{authorization: make(chan string, 1)})
	cert, key := a.Pair(t, t.TempDir(), "caller")
	strangeCert, strangeKey := other.Pair(t, t.TempDir(), "caller")
	for name, row := range map[string]struct {
		args []string
		code int
		want string
	}{
		"it works":                   {[]string{good, "--ca-file", a.File}, client.ExitDone, ""},
		"with a certificate":         {[]string{asking, "--ca-file", a.File, "--cert-file", cert, "--key-file", key}, client.ExitDone, ""},
		"an authority unknown":       {[]string{good, "--ca-file", other.File}, client.ExitNotSent, "its certificate is signed by an unknown authority\n  name the authority with --ca-file\n"},
		"the system's authorities":   {[]string{good, "--tls"}, client.ExitNotSent, "its certificate is signed by an unknown authority\n  name the authority with --ca-file\n"},
		"a certificate that ended":   {[]string{expired, "--ca-file", a.File}, client.ExitNotSent, "its certificate ended, or is not valid yet: current time "},
		"another name":               {[]string{elsewhere, "--ca-file", a.File}, client.ExitNotSent, "its certificate has another name: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs\n  name the server in --addr as its certificate does\n"},
		"no certificate of its own":  {[]string{asking, "--ca-file", a.File}, client.ExitNotSent, "it asks for a certificate of the one who calls, or takes no such TLS\n  name the certificate with --cert-file"},
		"one of another authority":   {[]string{asking, "--ca-file", a.File, "--cert-file", strangeCert, "--key-file", strangeKey}, client.ExitNotSent, "it does not accept the certificate in --cert-file\n"},
		"plain text to a TLS port":   {[]string{good}, client.ExitNotSent, ": what is there speaks TLS\n  add --tls, or --ca-file with its authority"},
		"TLS to a plain port":        {[]string{plain, "--ca-file", a.File}, client.ExitNotSent, "TLS"},
		"a certificate without key":  {[]string{good, "--cert-file", cert}, client.ExitFailed, "--cert-file and --key-file belong together"},
		"a key without certificate":  {[]string{good, "--key-file", key}, client.ExitFailed, "--cert-file and --key-file belong together"},
		"a key of another":           {[]string{good, "--cert-file", cert, "--key-file", strangeKey}, client.ExitFailed, "--key-file: the key is not that of the first certificate in "},
		"a socket that is not there": {[]string{"unix:" + filepath.Join(t.TempDir(), "s")}, client.ExitNotSent, "no such file or directory"},
	} {
		got := digate(t, append([]string{"copy", clitest.TemplateID, "--name", "n", "--addr"}, row.args...)...)
		if got.Code != row.code || !strings.Contains(got.Err, row.want) {
			t.Errorf("%s: %d\n%s, want %s", name, got.Code, got.Err, row.want)
		}
		clitest.CheckNoSecret(t, got)
	}
}
