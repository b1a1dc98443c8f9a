package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
)

// The texts of net/http's errors for a failed HTTP/2 stream, which have no types.
const (
	h2CannotRetryFront = "http2: Transport: cannot retry err ["
	h2CannotRetryBack  = "] after Request.Body was written; define Request.GetBody to avoid this error"
	h2GoAway           = "http2: Transport received Server's graceful shutdown GOAWAY"
	h2GoAwayError      = "http2: Transport received GOAWAY from server ErrCode:"
	h2StreamFront      = "stream error: stream ID "
	h2RefusedBack      = "; REFUSED_STREAM; received from peer"
)

// unprocessed reports whether the protocol guarantees that the request had no effect. In
// HTTP/2, that is so if its stream was refused (RFC 9113, 8.7) or is above the last
// stream that a GOAWAY names (6.8). The whole text must match, since other texts quote
// the upstream. If net/http changes the text, the outcome becomes UNKNOWN.
//
// In TLS 1.3, a server that rejects the client's certificate says so after the client has
// sent its request. It has read nothing of the request.
func unprocessed(err error) bool {
	if certificateRefused(err) {
		return true
	}
	text := err.Error()
	if inner, ok := strings.CutPrefix(text, h2CannotRetryFront); ok {
		if text, ok = strings.CutSuffix(inner, h2CannotRetryBack); !ok {
			return false
		}
	}
	if text == h2GoAway || strings.HasPrefix(text, h2GoAwayError) {
		return true
	}
	id, ok := strings.CutPrefix(text, h2StreamFront)
	if !ok {
		return false
	}
	id, ok = strings.CutSuffix(id, h2RefusedBack)
	return ok && strings.Trim(id, "0123456789") == ""
}

// The TLS alerts about a client's certificate, in the words of crypto/tls.
var aboutCertificates = []string{
	"tls: certificate required", "tls: bad certificate", "tls: unsupported certificate", "tls: revoked certificate",
	"tls: expired certificate", "tls: unknown certificate", "tls: unknown certificate authority",
}

// certificateRefused reports whether the upstream rejected the client certificate or
// requires one.
func certificateRefused(err error) bool {
	of, ok := errors.AsType[*net.OpError](err)
	return ok && of.Op == "remote error" && slices.Contains(aboutCertificates, of.Err.Error())
}

// Describe returns a short fixed text about a failure, for logs. It does not quote err,
// because net/http's error for a malformed response contains a part of the response. If
// err is one of the known errors, its own text is used, unless the end of the caller's
// context is the cause.
func Describe(err error, known ...error) string {
	var (
		dns       *net.DNSError
		invalid   x509.CertificateInvalidError
		hostname  x509.HostnameError
		authority x509.UnknownAuthorityError
		record    tls.RecordHeaderError
		op        *net.OpError
		timeout   net.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline exceeded"
	}
	for _, k := range known {
		if errors.Is(err, k) {
			return k.Error()
		}
	}
	text := err.Error()
	switch {
	case errors.As(err, &dns):
		return "the name of Diga's host did not resolve"
	case errors.As(err, &invalid), errors.As(err, &hostname), errors.As(err, &authority):
		return "Diga's certificate is not valid for this host"
	case certificateRefused(err):
		return "Diga did not accept the client's certificate, or misses one"
	case errors.As(err, &record), strings.HasPrefix(text, "tls: "), strings.HasPrefix(text, "remote error: tls: "):
		return "TLS failed"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "too many files and connections are open here"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no local port is free"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "no route to Diga's host"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return "connection closed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	case errors.As(err, &op):
		return op.Op + " failed"
	case strings.HasPrefix(text, "http2: "), strings.HasPrefix(text, h2StreamFront), strings.HasPrefix(text, "connection error: "):
		return "the HTTP/2 stream or connection failed"
	case strings.Contains(text, "malformed HTTP "), strings.Contains(text, "malformed MIME "):
		return "the response is not HTTP"
	default:
		return "the exchange failed"
	}
}
