package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/digate/digate/server/secret"
)

const (
	// renewBefore is how long before its end a certificate should have been
	// replaced.
	renewBefore = 14 * 24 * time.Hour
	// maxSkew is how far two clocks may be apart: dates in a Retry-After and the
	// ends of certificates go by them.
	maxSkew = 30 * time.Second
	// maxShown is how many names a line shows.
	maxShown = 8
)

// examine makes every check, in the order in which one builds on another.
func (d *doctor) examine(ctx context.Context) {
	c := &d.cfg
	var (
		base  *url.URL
		w     way
		token secret.String
		v     vendorSide
	)
	d.check("configuration", nil, func() finding {
		if err := c.Validate(); err != nil {
			return failed(strings.ReplaceAll(err.Error(), "\n", "; "), "correct these settings: flag, environment or --config file")
		}
		base, _ = url.Parse(c.UpstreamURL) // which is valid
		return ok("every setting is valid; Diga is at %s", base)
	})
	d.check("proxy", []string{"configuration"}, func() finding {
		proxy, err := http.ProxyFromEnvironment(&http.Request{URL: base})
		if err != nil {
			return failed("the proxy that the environment names is not a URL", "correct HTTP_PROXY or HTTPS_PROXY")
		}
		if w.host = base.Hostname(); proxy == nil {
			return ok("none: straight to %s", base.Host)
		}
		w.proxied, w.host = true, proxy.Hostname()
		return ok("by way of %s://%s, as HTTP_PROXY or HTTPS_PROXY says; DNS and TCP are about the proxy", proxy.Scheme, proxy.Host)
	})
	d.check("dns", []string{"proxy"}, func() finding {
		w.explore(ctx, c, base)
		return w.dns()
	})
	d.check("tcp", []string{"dns"}, func() finding { return w.tcp() })
	d.check("tls", []string{"tcp"}, func() finding { return w.tls(base, c.UpstreamCAFile) })
	d.check("credential", nil, func() finding {
		var err error
		if token, err = (&clientFlags{TokenFile: d.tokenFile}).token(); err != nil {
			return failed(err.Error(), "what callers send as their bearer token goes to Diga; give one to look with")
		}
		return ok("a bearer token, from %s", map[bool]string{true: "--token-file", false: "DIGATE_TOKEN"}[d.tokenFile != ""])
	})
	d.check("vendor", []string{"tls", "credential"}, func() finding {
		if err := v.open(c, token); err != nil {
			return failed(err.Error(), "correct the settings of Diga's side")
		}
		return v.reach(ctx)
	})
	defer v.close()
	d.check("contract", []string{"vendor"}, func() finding { return v.contract(ctx) })
	d.check("clock", []string{"tls"}, func() finding { return w.clock() })
}

func (w *way) dns() finding {
	_, err := netip.ParseAddr(w.host)
	switch {
	case err == nil:
		return skipped(w.host + " is an address already")
	case w.dnsErr != nil:
		advice := "is the host in --upstream-url right, and can this machine resolve names?"
		if w.proxied {
			advice = "is the proxy's host right, and can this machine resolve names?"
		}
		return failed(w.host+" does not resolve: "+netReason(w.dnsErr), advice)
	case w.addrs != nil:
		return ok("%s is %s", w.host, some(w.addrs))
	default:
		return failed("nothing was resolved: "+netReason(w.err), "")
	}
}

func (w *way) tcp() finding {
	if w.remote != "" {
		return ok("connected to %s in %s", w.remote, round(w.connectTime))
	}
	why := netReason(w.err)
	if len(w.connErrs) > 0 {
		why = some(w.connErrs)
	}
	return failed("no connection: "+why, "is the port right, does it listen, and does the network let this machine get there?")
}

func (w *way) tls(base *url.URL, caFile string) finding {
	if base.Scheme != "https" {
		if host := base.Hostname(); host == "localhost" || net.ParseIP(host).IsLoopback() {
			return skipped("--upstream-url is http")
		}
		return warn("--upstream-url is http: tokens go in plain text", "use https:// unless something on this machine or in its network encrypts")
	}
	authorities := "the system's authorities"
	if caFile != "" {
		authorities = "the authorities in " + caFile
	}
	if w.state == nil {
		err := w.tlsErr
		if err == nil && w.proxied {
			return failed("no way through the proxy: "+netReason(w.err), "does the proxy let this machine reach "+base.Host+"?")
		} else if err == nil {
			err = w.err
		}
		return failed(untrusted(err), "is this Diga's host? A private authority goes into --upstream-ca-file; "+authorities+" are in use")
	}
	leaf := w.state.PeerCertificates[0]
	left := time.Until(leaf.NotAfter)
	found := fmt.Sprintf("%s, certificate for %s until %s (%d days), by %s", tls.VersionName(w.state.Version), some(certNames(leaf)),
		leaf.NotAfter.UTC().Format(time.DateOnly), int(left.Hours()/24), authorities)
	if left < renewBefore {
		return warn(found, "the certificate ends soon: whoever runs that host must renew it")
	}
	return ok("%s", found)
}

func (w *way) clock() finding {
	if w.date.IsZero() {
		return skipped("no answer with a date")
	}
	if w.skew > maxSkew || w.skew < -maxSkew {
		where := map[bool]string{true: "ahead of", false: "behind"}[w.skew > 0]
		return warn(fmt.Sprintf("this machine is %s %s the other side's Date", w.skew.Abs().Round(time.Second), where),
			"set the clock by NTP; certificates and Retry-After go by it")
	}
	return ok("within %s of the other side's Date", maxSkew)
}

// untrusted says why no TLS connection came about.
func untrusted(err error) string {
	var (
		hostname  x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &hostname):
		return fmt.Sprintf("the certificate is for %s, not for %s", some(certNames(hostname.Certificate)), hostname.Host)
	case errors.As(err, &authority):
		return "the certificate is signed by nobody who is trusted here"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("the certificate is valid from %s to %s, not now", invalid.Cert.NotBefore.UTC().Format(time.DateOnly),
			invalid.Cert.NotAfter.UTC().Format(time.DateOnly))
	case errors.As(err, &invalid):
		return "the certificate is not valid: " + invalid.Error()
	case errors.As(err, &record):
		return "what answers at this port does not speak TLS"
	default:
		return "no TLS connection: " + netReason(err)
	}
}

// certNames are those that a certificate is good for.
func certNames(c *x509.Certificate) []string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if all == nil {
		return []string{"no name"}
	}
	return all
}

// some lists what a line has room for.
func some(all []string) string {
	if len(all) > maxShown {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:maxShown], ", "), len(all)-maxShown)
	}
	return strings.Join(all, ", ")
}

// netReason is the innermost part of a network error, which says what happened
// without the addresses and URLs that stand around it.
func netReason(err error) string {
	var (
		dns *net.DNSError
		op  *net.OpError
	)
	switch {
	case err == nil:
		return "nothing was heard"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &dns) && !dns.Timeout():
		return dns.Err
	case isTimeout(err):
		return "timed out"
	case errors.As(err, &op) && op.Err != nil:
		return op.Err.Error()
	default:
		return err.Error()
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

func round(d time.Duration) string {
	if d < time.Millisecond {
		return d.Round(time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}
