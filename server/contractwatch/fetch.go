// Package contractwatch reads Diga's published OpenAPI document and compares it with
// the contract, once or at intervals.
package contractwatch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/contract/surface"
	"github.com/digate/digate/server/upstream/wire"
)

// DefaultURL is where Diga publishes its OpenAPI document, for everybody.
const DefaultURL = "https://api.diga.io/openapi.json"

// readTimeout is the time limit for reading the document, including the connection.
const readTimeout = 30 * time.Second

const maxRedirects = 3

// Source is the location of an OpenAPI document. It is read without a credential.
type Source struct {
	URL       string
	UserAgent string
	// Roots returns the trusted certificate authorities, or nil for those of the system.
	// If Roots is nil, those of the system are trusted too.
	Roots func() *x509.CertPool
}

// Read reads the document, within limits of time and size. Its error does not quote the
// document.
func (s Source) Read(ctx context.Context) ([]byte, error) {
	u, err := ParseURL(s.URL)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.Roots != nil {
		secure.RootCAs = s.Roots()
	}
	transport := &http.Transport{
		TLSClientConfig:        secure,
		Proxy:                  func(r *http.Request) (*url.URL, error) { return wire.Proxy(r.URL) },
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects || via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
			return errors.New("it is redirected too often, or away from https")
		}
		return nil
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", s.UserAgent)
	resp, err := client.Do(req)
	if err != nil {
		if at, ok := errors.AsType[*url.Error](err); ok {
			err = at.Err // without the URL, which the message already has
		}
		return nil, fmt.Errorf("%s: %w", u.Redacted(), err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: the response is HTTP %d", u.Redacted(), resp.StatusCode)
	}
	text, err := ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Redacted(), err)
	}
	return text, nil
}

// ReadAll reads a whole document, up to the maximum size that can be compared.
func ReadAll(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, surface.MaxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(text) > surface.MaxDocument {
		return nil, fmt.Errorf("the document has more than %d bytes", surface.MaxDocument)
	}
	return text, nil
}

// ParseURL parses the URL of a document. Its error says what the URL must be.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, errors.New("must be the http or https URL of an OpenAPI document, without a user")
	}
	return u, nil
}

// Compare returns the differences between the contract and an OpenAPI document, the most
// serious first. It fails if the document is invalid.
func Compare(text []byte) ([]surface.Finding, error) {
	methods, err := contract.Load(contract.Integration())
	if err != nil {
		return nil, err
	}
	ours := surface.OfContract(methods)
	document, err := surface.OfOpenAPI(text)
	if err != nil {
		return nil, err
	}
	return surface.Diff(ours, document), nil
}
