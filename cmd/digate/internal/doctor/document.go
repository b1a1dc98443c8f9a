package doctor

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"

	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/contract/surface"
	"github.com/digate/digate/server/contractwatch"
)

// document compares Diga's published contract with that of digate. Nothing of it
// fails: digate works without the document.
func document(ctx context.Context, cfg *config.Config, version string) finding {
	base, _ := url.Parse(cfg.Upstream.URL)    // validated before
	at, _ := url.Parse(cfg.ContractWatch.URL) // validated before
	if cfg.ContractWatch.URL == contractwatch.DefaultURL && base.Host != at.Host {
		return skipped("--upstream-url is not " + at.Host + ", whose document --contract-url names")
	}
	material, err := cfg.Upstream.Files().Load()
	if err != nil {
		return warn(err.Error(), "correct this setting")
	}
	roots := func() *x509.CertPool { return material.Authorities }
	const read = "serve works without it; digate contract diff tries again"
	text, err := contractwatch.Source{URL: cfg.ContractWatch.URL, UserAgent: "digate/" + version, Roots: roots}.Read(ctx)
	if err != nil {
		return warn("Diga's published contract cannot be read: "+err.Error(), read)
	}
	findings, err := contractwatch.Compare(text)
	if err != nil {
		return warn("Diga's published contract cannot be read: "+err.Error(), read)
	}
	n := surface.Count(findings)
	found := fmt.Sprintf("Diga's published contract differs in %d breaking, %d additive and %d cosmetic ways", n[surface.Breaking], n[surface.Additive], n[surface.Cosmetic])
	if n[surface.Breaking] > 0 {
		return warn(found+": "+some(contractwatch.Places(findings)), "digate contract diff shows them; a newer digate may follow them")
	}
	return ok("%s", found)
}
