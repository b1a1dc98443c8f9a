package doctor

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/ledger/backend"
	"github.com/digate/digate/server/secret"
	"github.com/digate/digate/server/upstream/wire"
)

// examination makes the checks.
type examination struct {
	report

	cfg       config.Config
	tokenFile string
	token     secret.String // of a caller; unused with a file of accounts
	noToken   error         // why there is no token
	version   string
}

// run makes every check. Later checks build on earlier ones.
func (e *examination) run(ctx context.Context) {
	var (
		base  *url.URL
		probe = networkProbe{version: e.version}
		diga  upstreamProbe

		credentials []credential
	)
	e.check("configuration", nil, func() finding {
		err := e.cfg.Validate()
		if wrong := backend.Validate(e.cfg.Ledger); err == nil && wrong != nil {
			err = fmt.Errorf("--ledger: %w", wrong)
		}
		if err != nil {
			return failed(strings.ReplaceAll(err.Error(), "\n", "; "), "correct these settings, in the flags, the environment or the --config file")
		}
		base, _ = url.Parse(e.cfg.Upstream.URL) // Validate parsed it
		return ok("every setting is valid; Diga is expected at %s", base)
	})
	e.check("proxy", []string{"configuration"}, func() finding {
		proxy, err := wire.Proxy(base)
		if err != nil {
			return failed(err.Error(), "correct the variable, or unset it to go directly; serve does not start with it")
		}
		probe.proxy, probe.host = proxy, base.Hostname()
		found := "none; requests go directly to " + base.Host
		if proxy != nil {
			probe.host = proxy.Hostname()
			found = fmt.Sprintf("requests go through %s://%s, because of HTTP_PROXY or HTTPS_PROXY; the checks dns and tcp are about this proxy", proxy.Scheme, proxy.Host)
		}
		if unused := wire.UnusedProxies(base); unused != nil {
			return warn(found, strings.Join(unused, "; "))
		}
		return ok("%s", found)
	})
	e.check("dns", []string{"proxy"}, func() finding {
		probe.run(ctx, &e.cfg, base)
		return probe.dns()
	})
	e.check("tcp", []string{"dns"}, func() finding { return probe.tcp() })
	e.check("tls", []string{"tcp"}, func() finding { return probe.tls(base, e.cfg.Upstream.CAFile) })
	e.check("credential", nil, func() finding {
		var f finding
		credentials, f = e.credentials()
		return f
	})
	e.check("upstream", []string{"tls", "credential"}, func() finding {
		if err := diga.open(&e.cfg, credentials, e.version); err != nil {
			return failed(err.Error(), "correct the settings whose names begin with --upstream")
		}
		return diga.reach(ctx)
	})
	defer diga.close()
	e.check("contract", []string{"upstream"}, func() finding { return diga.contract(ctx) })
	e.check("document", []string{"configuration"}, func() finding { return document(ctx, &e.cfg, e.version) })
	e.check("clock", []string{"tls"}, func() finding { return probe.clock() })
	e.check("ledger", []string{"configuration"}, func() finding { return examineLedger(ctx, e.cfg.Ledger) })
	e.check("listeners", []string{"configuration"}, func() finding { return examineListeners(ctx, &e.cfg.Addresses) })
	e.check("certificates", []string{"configuration"}, func() finding { return examineCertificates(&e.cfg) })
	e.check("accounts", []string{"configuration"}, func() finding { return examineAccounts(&e.cfg) })
}
