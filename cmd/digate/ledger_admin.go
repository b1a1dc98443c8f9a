package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/listing"
	"github.com/digate/digate/server/socket"
)

// maxListing is the maximum size of a response from the admin listener, in bytes.
const maxListing = 16 << 20

func (f *operatorFlags) listAdmin(ctx context.Context, q ledger.Query) (page listing.Page, _ error) {
	client, err := f.adminClient()
	if err != nil {
		return page, err
	}
	defer client.CloseIdleConnections()
	at := f.Admin
	if _, ok := socket.Path(at); ok {
		at = "http://localhost"
	}
	base, err := url.Parse(at)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return page, errors.New("--admin: must be a URL such as http://127.0.0.1:9091, or unix:PATH")
	}
	base = base.JoinPath(listing.Path)
	base.RawQuery = listing.Values(q).Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.String(), nil)
	if err != nil {
		return page, fmt.Errorf("--admin: %w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		if of := (*url.Error)(nil); errors.As(err, &of) {
			err = of.Err
		}
		return page, fmt.Errorf("--admin: no admin listener of digate at %s: %w", f.adminName(base), err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxListing))
	switch {
	case err != nil:
		return page, fmt.Errorf("the admin listener at %s: %w", f.adminName(base), err)
	case resp.StatusCode != http.StatusOK:
		return page, fmt.Errorf("the admin listener at %s: %s: %s", f.adminName(base), resp.Status, term.OneLine.Replace(strings.TrimSpace(string(text[:min(len(text), 300)]))))
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return page, fmt.Errorf("what is at %s is no admin listener of digate", f.adminName(base))
	}
	return page, nil
}

// adminClient returns the client of the admin listener.
func (f *operatorFlags) adminClient() (*http.Client, error) {
	material, err := certs.Files{Authorities: certs.File{Flag: "admin-ca-file", Path: f.AdminCA}}.Load()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = material.ClientConfig()
	if path, ok := socket.Path(f.Admin); ok {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
	}
	return &http.Client{Transport: transport}, nil
}

// adminName returns the name of the admin listener for errors.
func (f *operatorFlags) adminName(base *url.URL) string {
	if _, ok := socket.Path(f.Admin); ok {
		return f.Admin
	}
	return base.Host
}
