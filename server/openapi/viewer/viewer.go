// Package viewer is the reference of the REST side as a page for browsers: the OpenAPI
// document, and forms that send requests. The page is Swagger UI, which is kept in this
// package as its npm package has it; page.js and page.css mend what keeps it from being
// used by keyboard, by screen reader, in the dark or on a phone. The page loads nothing
// from elsewhere and has no inline script or style.
package viewer

import (
	"bytes"
	"crypto/rand"
	_ "embed" // of the page
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"

	"github.com/digate/digate/server/static"
)

// Path is the path of the page. What it loads is below, but for the document itself.
const Path = "/docs"

// Options are what a page offers its reader at the start.
type Options struct {
	// Token is sent with each request, until the reader gives another. Everybody who
	// can read the page can read it.
	Token string `json:"token,omitempty"`
	// Templates are those that a reader may choose from where an operation asks for a
	// template's id.
	Templates []Template `json:"templates,omitempty"`
}

// Template is an integration template to choose.
type Template struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

var (
	//go:embed page.html
	pageText string
	//go:embed page.js
	pageScript []byte
	//go:embed page.css
	pageStyle []byte

	page = template.Must(template.New("page").Parse(pageText))
)

// policy lets a browser run the scripts and use the styles that the page names, show the
// pictures that they contain, and ask this server alone. %[1]s is the page's nonce.
const policy = "default-src 'none'; script-src 'nonce-%[1]s'; style-src 'nonce-%[1]s'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const (
	javaScript = "text/javascript; charset=utf-8"
	styleSheet = "text/css; charset=utf-8"
	plainText  = "text/plain; charset=utf-8"
)

// Handlers returns the handlers of the page and of the files that it loads, by path.
func Handlers(opts Options) (map[string]http.Handler, error) {
	options, err := json.Marshal(opts)
	if err != nil {
		return nil, err
	}
	whole := func(text []byte) func() ([]byte, error) { return func() ([]byte, error) { return text, nil } }
	handlers := map[string]http.Handler{
		Path:               pageHandler(options),
		Path + "/":         http.HandlerFunc(toPage),
		Path + "/page.js":  static.Text(javaScript, whole(pageScript)),
		Path + "/page.css": static.Text(styleSheet, whole(pageStyle)),
	}
	for name, kept := range swaggerHandlers() {
		handlers[Path+"/"+name] = kept
	}
	return handlers, nil
}

// toPage sends a browser to the page, by a path that holds behind a proxy too.
func toPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Location", ".."+Path)
	w.WriteHeader(http.StatusPermanentRedirect)
}

// FromRoot sends a browser from / to the page. The redirect is not kept: another program
// may have this port tomorrow.
func FromRoot(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", "."+Path)
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// pageHandler serves the page, with its options as JSON.
type pageHandler string

// ServeHTTP implements [http.Handler].
func (options pageHandler) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	nonce := rand.Text()
	var body bytes.Buffer
	err := page.Execute(&body, struct{ Nonce, Options string }{nonce, string(options)})
	if err != nil {
		http.Error(w, "the page cannot be written", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store") // its nonce is for one response
	header.Set("Content-Security-Policy", fmt.Sprintf(policy, nonce))
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	_, _ = w.Write(body.Bytes())
}
