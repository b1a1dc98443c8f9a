package doctor

import (
	"crypto/tls"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/cmd/digate/internal/clitest"
)

func TestDoctor_Certificate(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	good, goodCA := clitest.Certificate(t, now.Add(-day), now.Add(100*day))
	short, shortCA := clitest.Certificate(t, now.Add(-day), now.Add(3*day))
	expired, expiredCA := clitest.Certificate(t, now.Add(-9*day), now.Add(-day))
	_, another := clitest.Certificate(t, now.Add(-day), now.Add(100*day))
	for name, row := range map[string]struct {
		cert       tls.Certificate
		ca         string
		host, want string
		found      string
	}{
		"good":           {good, goodCA, "127.0.0.1", "oosooooosoooss", "TLS 1.3, certificate for 127.0.0.1 until " + now.Add(100*day).UTC().Format(time.DateOnly) + " (99 days)"},
		"ends soon":      {short, shortCA, "127.0.0.1", "oosowooosoooss", "(2 days)"},
		"ended":          {expired, expiredCA, "127.0.0.1", "oosoFossssooss", "valid from"},
		"another's name": {good, goodCA, "localhost", "ooooFossssooss", "the certificate is for 127.0.0.1, not for localhost"},
		"not trusted":    {good, "", "127.0.0.1", "oosoFossssooss", "signed by an authority that is not trusted here"},
		"others trusted": {good, another, "127.0.0.1", "oosoFossssooss", "signed by an authority that is not trusted here"},
	} {
		t.Run(name, func(t *testing.T) {
			upstream, seen := watched(t, says(200, "application/json", `{"data":[],"has_more":false}`), func(s *httptest.Server) {
				s.TLS = &tls.Config{Certificates: []tls.Certificate{row.cert}}
				s.StartTLS()
			})
			args := []string{"--upstream-url", strings.Replace(upstream.URL, "127.0.0.1", row.host, 1)}
			if row.ca != "" {
				args = append(args, "--upstream-ca-file", row.ca)
			}
			got := examine(t, args...)
			got.expect(t, row.want)
			trusted := "the system's certificate authorities"
			if row.ca != "" {
				trusted = "the certificate authorities in " + row.ca
			}
			if f := got.checks["tls"]; !strings.Contains(f.Found, row.found) || !strings.Contains(f.Found+f.Advice, trusted) {
				t.Errorf("%+v, want that it names %s", f, trusted)
			}
			if n := seen.onlyGETs(t); n > 0 && got.checks["tls"].Result == resultFail {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestDoctor_NoTLSThere_IsSaid(t *testing.T) {
	upstream, _ := watched(t, says(200, "text/html", ""))
	got := examine(t, "--upstream-url", strings.Replace(upstream.URL, "http://", "https://", 1))
	got.expect(t, "oosoFossssooss")
	if f := got.checks["tls"].Found; !strings.Contains(f, "does not speak TLS") {
		t.Error(f)
	}
}

// A token that crosses a network unencrypted is worth a warning.
func TestTLS_PlainHTTP_IsAWarningUnlessItStaysOnThisMachine(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"localhost": resultSkipped, "127.0.0.1": resultSkipped, "127.1.2.3": resultSkipped, "[::1]": resultSkipped,
		"localhost.example": resultWarn, "diga.example": resultWarn, "10.0.0.1": resultWarn, "[fd00::1]": resultWarn,
	} {
		base, err := url.Parse("http://" + host + ":8090/path")
		if err != nil {
			t.Fatal(err)
		}
		if got := new(networkProbe).tls(base, ""); got.Result != want {
			t.Errorf("%s: %+v, want %s", host, got, want)
		}
	}
}
