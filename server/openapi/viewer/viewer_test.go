package viewer_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/digate/digate/server/openapi"
	"github.com/digate/digate/server/openapi/viewer"
	"github.com/digate/digate/server/static"
)

func handlers(t *testing.T, opts viewer.Options) map[string]http.Handler {
	t.Helper()
	all, err := viewer.Handlers(opts)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func get(h http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, viewer.Path, nil))
	return w
}

// The policy of a page allows the scripts and styles that the page names by a nonce of
// this response alone, and nothing from elsewhere.
func TestPage_Policy_AllowsOnlyWhatThePageNames(t *testing.T) {
	t.Parallel()
	h := handlers(t, viewer.Options{})[viewer.Path]
	nonces := make(map[string]bool)
	for range 3 {
		w := get(h)
		policy, body := w.Header().Get("Content-Security-Policy"), w.Body.String()
		for _, banned := range []string{"unsafe", "http:", "https:", "*", "script-src 'self'"} {
			if strings.Contains(policy, banned) {
				t.Errorf("the policy has %s: %s", banned, policy)
			}
		}
		m := regexp.MustCompile(`^default-src 'none'; script-src 'nonce-(\w{22,})'; style-src 'nonce-(\w+)';`).FindStringSubmatch(policy)
		if m == nil || m[1] != m[2] || nonces[m[1]] {
			t.Fatalf("the policy is %s", policy)
		}
		nonces[m[1]] = true
		for _, tag := range regexp.MustCompile(`<(script|link rel="stylesheet")[^>]*>`).FindAllString(body, -1) {
			if !strings.Contains(tag, `nonce="`+m[1]+`"`) {
				t.Errorf("the policy keeps %s from the page", tag)
			}
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Frame-Options") != "DENY" {
			t.Errorf("%v", w.Header())
		}
	}
}

// What a page names is there, at a path relative to that of the page: a proxy may serve
// digate below a path of its own.
func TestPage_WhatItNames_IsThere(t *testing.T) {
	t.Parallel()
	all := handlers(t, viewer.Options{})
	maps.Copy(all, openapi.Handlers())
	named := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(get(all[viewer.Path]).Body.String(), -1)
	if len(named) < 5 {
		t.Fatalf("the page names %q", named)
	}
	for _, m := range append(named, []string{"", "docs/swagger-ui-bundle.js.LICENSE.txt"}, []string{"", "docs/LICENSE"}, []string{"", "docs/NOTICE"}) {
		if m[1] == "data:," {
			continue
		}
		if h := all[path.Join("/", m[1])]; strings.HasPrefix(m[1], "/") || h == nil || get(h).Code != http.StatusOK {
			t.Errorf("the page names %s, which is not there", m[1])
		}
	}
	if w := get(all[viewer.Path+"/"]); w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != "../docs" {
		t.Errorf("%s/: %d %v", viewer.Path, w.Code, w.Header())
	}
}

// What the options say reaches the page as data, whatever characters it has.
func TestPage_Options_AreData(t *testing.T) {
	t.Parallel()
	want := viewer.Options{Token: `"><script>alert(1)</script>`, Templates: []viewer.Template{{ID: "1", Title: "it's"}}}
	body := get(handlers(t, want)[viewer.Path]).Body.String()
	m := regexp.MustCompile(`data-options="([^"]*)"`).FindStringSubmatch(body)
	if m == nil || strings.Contains(body, "<script>") {
		t.Fatal(body)
	}
	var got viewer.Options
	if err := json.Unmarshal([]byte(html.UnescapeString(m[1])), &got); err != nil || got.Token != want.Token || len(got.Templates) != 1 || got.Templates[0] != want.Templates[0] {
		t.Errorf("%v %+v", err, got)
	}
}

// The files of Swagger UI are those of the recorded package, and nothing else is kept.
func TestSwaggerUI_Files_AreThoseOfTheRecordedPackage(t *testing.T) {
	t.Parallel()
	source, err := viewer.Recorded()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(source.Integrity, "sha512-"))
	if err != nil || len(digest) != 64 || !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(source.Version) {
		t.Errorf("%+v %v", source, err)
	}
	files, err := os.ReadDir("swagger-ui")
	if err != nil || len(files) != len(viewer.Files)+1 || len(source.SHA256) != len(viewer.Files) {
		t.Fatalf("%v %v %v", files, source.SHA256, err)
	}
	for name, kept := range viewer.Files {
		text, err := os.ReadFile(filepath.Join("swagger-ui", kept))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(kept, viewer.Zipped) {
			if text, err = static.Unzip(text); err != nil {
				t.Fatalf("%s: %v", kept, err)
			}
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != source.SHA256[name] {
			t.Errorf("%s is not that of %s@%s: make viewer", kept, source.Package, source.Version)
		}
	}
}
