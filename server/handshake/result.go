package handshake

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
)

// Result is how a handshake ended.
type Result string

// The results.
const (
	// Done is a connection.
	Done Result = "done"
	// NoTLS is a client that spoke something else.
	NoTLS Result = "no_tls"
	// NoCertificate is a client without a certificate, or with one that is not trusted.
	NoCertificate Result = "no_certificate"
	// Distrusted is a client that did not like the certificate of the server.
	Distrusted Result = "distrusted"
	// TimedOut is one that took too long.
	TimedOut Result = "timed_out"
	// Displaced is one that ended for a newer one, since too many were under way.
	Displaced Result = "displaced"
	// Failed is any other: no common version or protocol, or a connection that was lost.
	Failed Result = "failed"
)

// Results are all of them.
var Results = []Result{Done, NoTLS, NoCertificate, Distrusted, TimedOut, Displaced, Failed}

var errNoProtocol = errors.New("the client named no protocol (ALPN)")

// missingCertificate is what crypto/tls says of a client that shows no certificate.
const missingCertificate = "tls: client didn't provide a certificate"

// resultOf returns the result of a handshake that ended with this error.
func resultOf(err error, displaced bool) Result {
	if err == nil {
		return Done
	}
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	of, remote := errors.AsType[*net.OpError](err)
	switch {
	case displaced:
		return Displaced
	case noTLS:
		return NoTLS
	case untrusted, err.Error() == missingCertificate:
		return NoCertificate
	case errors.Is(err, os.ErrDeadlineExceeded):
		return TimedOut
	case remote && of.Op == "remote error" && strings.Contains(of.Err.Error(), "certificate"):
		return Distrusted
	default:
		return Failed
	}
}
