package status

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // for the page
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// JSONPath is the path of the JSON. The page is at /.
const JSONPath = "/status.json"

//go:embed page.html
var pageText string

//go:embed page.css
var styleText string

// page is the template of the page. It escapes everything that it shows.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"style":  func() template.CSS { return template.CSS(styleText) }, //nolint:gosec // a file of this package
	"clock":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") },
	"short":  func(record string) string { return record[:min(len(record), shortName)] },
	"uptime": func(seconds float64) string { return duration(time.Duration(seconds * float64(time.Second))) },
}).Parse(pageText))

// shortName is how many digits of a record's name the page shows, which are enough for
// `digate ledger show --record`.
const shortName = 12

// policy permits no scripts and no loading. The digest permits the page's one style.
var policy = func() string {
	sum := sha256.Sum256([]byte(styleText))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// Handler returns a handler for / and [JSONPath]. look returns the current status, and
// may wait until its context ends.
func Handler(look func(context.Context) Status) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := look(r.Context())
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Vary", "Accept")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		var body bytes.Buffer
		if r.URL.Path == JSONPath || wantsJSON(r.Header.Get("Accept")) {
			h.Set("Content-Type", "application/json")
			enc := json.NewEncoder(&body)
			enc.SetIndent("", "  ")
			if err := enc.Encode(s); err != nil {
				http.Error(w, "the status cannot be written", http.StatusInternalServerError)
				return
			}
		} else {
			h.Set("Content-Type", "text/html; charset=utf-8")
			if err := page.Execute(&body, s); err != nil {
				http.Error(w, "the page cannot be written", http.StatusInternalServerError)
				return
			}
		}
		_, _ = w.Write(body.Bytes())
	})
}

// wantsJSON reports whether a request prefers JSON to HTML. A request that names HTML or
// neither gets the page.
func wantsJSON(accept string) bool {
	quality := func(kind string) float64 {
		for part := range strings.SplitSeq(accept, ",") {
			name, parameters, _ := strings.Cut(part, ";")
			if !strings.EqualFold(strings.TrimSpace(name), kind) {
				continue
			}
			_, q, has := strings.Cut(parameters, "q=")
			if x, err := strconv.ParseFloat(strings.TrimSpace(q), 64); has && err == nil {
				return x
			}
			return 1
		}
		return 0
	}
	return quality("application/json") > quality("text/html")
}

// duration returns a duration in its two largest units: 12s, 5m10s, 3h20m, 2d4h.
func duration(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Hour:
		return d.Truncate(time.Second).String()
	case d < 24*time.Hour:
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	default:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
}
