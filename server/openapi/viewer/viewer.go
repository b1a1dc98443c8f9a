// Package viewer serves the page at /docs: the OpenAPI document for browsers, with forms
// that send requests. The page is Swagger UI, whose files are stored in this package
// unchanged. page.js and page.css make it usable by keyboard, with a screen reader, in
// dark mode and on a phone. The page loads nothing from other hosts and has no inline
// script or style.
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

// Path is the path of the page. All files that it loads except the document are below
// this path.
const Path = "/docs"

// Options are the initial values that the page offers to its reader.
type Options struct {
	// Token is sent with each request until the reader enters another one. Everyone who
	// can open the page can read it.
	Token string `json:"token,omitempty"`
	// Templates are offered where an operation needs a template's id.
	Templates []Template `json:"templates,omitempty"`
	// Examples tells the page that the ids in the document's examples exist. Only then does
	// the page fill required fields with their examples.
	Examples bool `json:"examples,omitempty"`
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

// policy permits a browser to run the scripts and use the styles that the page names, to
// show images that they contain, and to send requests only to this server. %[1]s is the
// page's nonce.
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

// toPage redirects a browser to the page, with a relative path that also works behind a
// proxy.
func toPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Location", ".."+Path)
	w.WriteHeader(http.StatusPermanentRedirect)
}

// FromRoot redirects a browser from / to the page. The redirect is temporary: another
// program may use this port later.
func FromRoot(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", "."+Path)
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// pageHandler serves the page. Its value is the options as JSON.
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
