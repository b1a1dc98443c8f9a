package handshake

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
)

// Result is the result of a handshake.
type Result string

// The results.
const (
	// Done is a successful handshake.
	Done Result = "done"
	// NoTLS is a client that sent something other than TLS.
	NoTLS Result = "no_tls"
	// NoCertificate is a client without a certificate, or with one that is not trusted.
	NoCertificate Result = "no_certificate"
	// Distrusted is a client that rejected the server's certificate.
	Distrusted Result = "distrusted"
	// TimedOut is a handshake that took too long.
	TimedOut Result = "timed_out"
	// Displaced is a handshake that was ended for a newer one, because too many were in
	// progress.
	Displaced Result = "displaced"
	// Failed is any other failure: no common version or protocol, or a lost connection.
	Failed Result = "failed"
)

// Results lists all results.
var Results = []Result{Done, NoTLS, NoCertificate, Distrusted, TimedOut, Displaced, Failed}

var errNoProtocol = errors.New("the client named no protocol (ALPN)")

// missingCertificate is the text of crypto/tls's error for a client without a
// certificate.
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
