package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/listing"
)

// maxListing bounds a response of the admin listener, in bytes.
const maxListing = 16 << 20

func (f *operatorFlags) listAdmin(ctx context.Context, q ledger.Query) (page listing.Page, _ error) {
	base, err := url.Parse(f.Admin)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return page, errors.New("--admin: must be a URL such as http://127.0.0.1:9091")
	}
	base = base.JoinPath(listing.Path)
	base.RawQuery = listing.Values(q).Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.String(), nil)
	if err != nil {
		return page, fmt.Errorf("--admin: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if of := (*url.Error)(nil); errors.As(err, &of) {
			err = of.Err
		}
		return page, fmt.Errorf("no admin listener of digate at %s: %w", base.Host, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxListing))
	switch {
	case err != nil:
		return page, fmt.Errorf("the admin listener at %s: %w", base.Host, err)
	case resp.StatusCode != http.StatusOK:
		return page, fmt.Errorf("the admin listener at %s: %s: %s", base.Host, resp.Status, term.OneLine.Replace(strings.TrimSpace(string(text[:min(len(text), 300)]))))
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return page, fmt.Errorf("what is at %s is no admin listener of digate", base.Host)
	}
	return page, nil
}
