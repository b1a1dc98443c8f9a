package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
)

// unprocessed says whether HTTP/2 guarantees that the request had no effect: a
// stream refused (RFC 9113, 8.7), or one above the last that a GOAWAY names
// (6.8). net/http offers these only as text; text that it should come to word
// otherwise means UNKNOWN.
func unprocessed(err error) bool {
	text := err.Error()
	if !strings.HasPrefix(text, "http2: ") {
		return false
	}
	return strings.Contains(text, "; REFUSED_STREAM") ||
		strings.Contains(text, "Server's graceful shutdown GOAWAY") ||
		strings.Contains(text, "received GOAWAY from server ErrCode")
}

// describe says in a few fixed words what failed, for logs. It quotes only what
// is about the connection's other end; an answer that cannot be parsed is
// quoted by net/http in its error, and could hold anything.
func describe(err error) string {
	var (
		dns       *net.DNSError
		invalid   x509.CertificateInvalidError
		hostname  x509.HostnameError
		authority x509.UnknownAuthorityError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		op        *net.OpError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline exceeded"
	case errors.As(err, &dns):
		return "the name of the vendor's host did not resolve"
	case errors.As(err, &invalid), errors.As(err, &hostname), errors.As(err, &authority):
		return "the vendor's certificate is not valid for this host"
	case errors.As(err, &record), errors.As(err, &alert):
		return "TLS handshake failed"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, errAnswerTooLarge), errors.Is(err, errCoding):
		return err.Error()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "connection closed"
	case errors.As(err, &op):
		return op.Op + " failed"
	case strings.HasPrefix(err.Error(), "http2: "):
		return "HTTP/2 connection failed"
	default:
		return "the exchange failed"
	}
}
