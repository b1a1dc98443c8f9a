package gateway

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/digate/digate/server/setting"
)

// Settings are the settings of the REST side alone.
type Settings struct {
	BulkMaxItems int  `name:"bulk-rest-max-items" group:"Bulk:" default:"1000" help:"Maximum of copies in one REST request."`
	Docs         bool `name:"docs" group:"Addresses:" help:"Serve a page at /docs on the REST listener that describes the REST API and sends requests."`
	WebRPC       bool `name:"web-rpc" group:"Addresses:" help:"Also serve Connect and gRPC-Web on the REST listener, for web pages and for clients without HTTP/2."`
	// CORSOrigins is a list separated by commas.
	CORSOrigins string `name:"cors-origins" group:"Addresses:" placeholder:"ORIGIN,…" help:"Origins of the web pages that may call the REST listener from a browser, separated by commas: https://app.example. None by default."`
}

// Origins returns the origins of web pages that may call from a browser.
func (s *Settings) Origins() []string { return setting.List(s.CORSOrigins) }

// Validate adds a problem for each invalid setting.
func (s *Settings) Validate(p *setting.Problems) {
	p.Between("bulk-rest-max-items", int64(s.BulkMaxItems), 1, 1_000_000)
	for _, origin := range s.Origins() {
		if !isOrigin(origin) {
			p.Addf("cors-origins", "must be origins as browsers send them, such as https://app.example or http://localhost:3000, separated by commas: no path, no wildcard, lower case, a name beyond ASCII as xn--…")
			break
		}
	}
}

// isOrigin reports whether a text is an origin as browsers send it: a scheme, a host in
// lower case and in ASCII, and a port unless it is the scheme's default.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	if err != nil || strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Contains(u.Host, "*") {
		return false
	}
	ownPort := u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443"
	return !ownPort && !strings.HasSuffix(u.Host, ":") && text == u.Scheme+"://"+strings.ToLower(u.Host)
}
