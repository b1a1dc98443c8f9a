package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	// renewBefore is how long before its end a certificate should be replaced.
	renewBefore = 14 * 24 * time.Hour
	// maxSkew is the largest difference between two clocks that does no harm. The
	// dates of certificates and of Retry-After are compared with the clock.
	maxSkew = 30 * time.Second
	// maxShown is how many names one line shows.
	maxShown = 8
)

func (p *networkProbe) dns() finding {
	_, err := netip.ParseAddr(p.host)
	switch {
	case err == nil:
		return skipped(p.host + " is an IP address and needs no look-up")
	case p.dnsErr != nil:
		advice := "check the host name in --upstream-url, and whether this machine can resolve other names"
		if p.proxy != nil {
			advice = "check the host name of the proxy, and whether this machine can resolve other names"
		}
		return failed(p.host+" does not resolve: "+netReason(p.dnsErr), advice)
	case p.addrs != nil:
		return ok("%s is %s", p.host, some(p.addrs))
	default:
		return failed("nothing was resolved: "+netReason(p.err), "try again; if that does not help, check whether this machine can resolve other names")
	}
}

func (p *networkProbe) tcp() finding {
	if p.remote != "" {
		return ok("connected to %s in %s", p.remote, round(p.connectTime))
	}
	why := netReason(p.err)
	if len(p.connErrs) > 0 {
		why = some(p.connErrs)
	}
	return failed("no connection: "+why, "check the port, whether something listens there, and whether a firewall lets this machine connect")
}

func (p *networkProbe) tls(base *url.URL, caFile string) finding {
	if base.Scheme != "https" {
		if host := base.Hostname(); host == "localhost" || net.ParseIP(host).IsLoopback() {
			return skipped("--upstream-url is http, on this machine")
		}
		return warn("--upstream-url is http: tokens are sent unencrypted", "use https://, unless something on this machine or in its network encrypts the connection")
	}
	authorities := "the system's certificate authorities"
	if caFile != "" {
		authorities = "the certificate authorities in " + caFile
	}
	if p.state == nil {
		err := p.tlsErr
		if err == nil && p.proxy != nil {
			return failed("the proxy did not connect: "+netReason(p.err), "check whether the proxy lets this machine reach "+base.Host)
		} else if err == nil {
			err = p.err
		}
		return failed(untrusted(err), "check that this is Diga's host. Name a private certificate authority with --upstream-ca-file; now "+authorities+" are trusted")
	}
	leaf := p.state.PeerCertificates[0]
	left := time.Until(leaf.NotAfter)
	found := fmt.Sprintf("%s, certificate for %s until %s (%d days), trusted by %s", tls.VersionName(p.state.Version), some(certNames(leaf)),
		leaf.NotAfter.UTC().Format(time.DateOnly), int(left.Hours()/24), authorities)
	if left < renewBefore {
		return warn(found, "the certificate ends soon; the owner of that host must renew it")
	}
	return ok("%s", found)
}

func (p *networkProbe) clock() finding {
	if p.date.IsZero() {
		return skipped("there was no response with a Date")
	}
	if p.skew > maxSkew || p.skew < -maxSkew {
		where := map[bool]string{true: "ahead of", false: "behind"}[p.skew > 0]
		return warn(fmt.Sprintf("the clock of this machine is %s %s the Date of the response", p.skew.Abs().Round(time.Second), where),
			"set the clock, for example by NTP; certificates and Retry-After depend on it")
	}
	return ok("within %s of the Date of the response", maxSkew)
}

// some joins as many texts as one line has room for.
func some(all []string) string {
	if len(all) > maxShown {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:maxShown], ", "), len(all)-maxShown)
	}
	return strings.Join(all, ", ")
}

// netReason returns the innermost part of a network error. It says what happened
// and leaves out the addresses and URLs around it.
func netReason(err error) string {
	var (
		dns *net.DNSError
		op  *net.OpError
	)
	switch {
	case err == nil:
		return "no response"
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
