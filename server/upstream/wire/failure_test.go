package wire

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

var errKnown, errOther = errors.New("one that is known"), errors.New("another")

func TestDescribe_FixedWords_QuoteNothing(t *testing.T) {
	for want, errs := range map[string][]error{
		"cancelled":         {context.Canceled, fmt.Errorf("%w: %w", context.Canceled, errKnown), fmt.Errorf("hunter2: %w: %w", context.Canceled, io.EOF)},
		"deadline exceeded": {context.DeadlineExceeded},
		"the name of Diga's host did not resolve":                     {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "hunter2", Name: "hunter2"}}},
		"Diga's certificate is not valid for this host":               {fmt.Errorf("hunter2: %w", x509.UnknownAuthorityError{}), x509.CertificateInvalidError{Detail: "hunter2", Cert: &x509.Certificate{}}},
		"Diga did not accept the client's certificate, or misses one": {fmt.Errorf("hunter2: %w", &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")})},
		"TLS failed":         {errors.New("tls: hunter2"), errors.New("remote error: tls: hunter2")},
		"connection refused": {&net.OpError{Op: "dial", Err: os.NewSyscallError("hunter2", syscall.ECONNREFUSED)}},
		"connection reset":   {fmt.Errorf("hunter2: %w", syscall.ECONNRESET), syscall.EPIPE},
		"too many files and connections are open here": {&net.OpError{Op: "dial", Err: os.NewSyscallError("hunter2", syscall.EMFILE)}, syscall.ENFILE},
		"no local port is free":                        {&net.OpError{Op: "dial", Err: os.NewSyscallError("hunter2", syscall.EADDRNOTAVAIL)}},
		"no route to Diga's host":                      {&net.OpError{Op: "dial", Err: os.NewSyscallError("hunter2", syscall.ENETUNREACH)}, syscall.EHOSTUNREACH},
		"connection closed":                            {io.EOF, io.ErrUnexpectedEOF, fmt.Errorf("hunter2: %w", net.ErrClosed)},
		"timed out":                                    {&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}},
		"dial failed":                                  {&net.OpError{Op: "dial", Err: errors.New("hunter2")}},
		errKnown.Error():                               {fmt.Errorf("hunter2: %w", errKnown), fmt.Errorf("%w: %w", errKnown, io.EOF)},
		"the HTTP/2 stream or connection failed":       {errors.New(`http2: server sent GOAWAY; debug="hunter2"`), errors.New("stream error: stream ID 1; hunter2"), errors.New("connection error: hunter2")},
		"the response is not HTTP":                     {errors.New(`net/http: HTTP/1.x transport connection broken: malformed HTTP response "hunter2"`)},
		"the exchange failed":                          {errors.New("hunter2")},
	} {
		for _, err := range errs {
			if got := Describe(err, errOther, errKnown); got != want {
				t.Errorf("%v: got %q, want %q", err, got, want)
			}
		}
	}
}

func TestUnprocessed_TextThatOnlyResemblesIt_IsNot(t *testing.T) {
	for text, want := range map[string]bool{
		"stream error: stream ID 7; REFUSED_STREAM; received from peer": true,
		h2GoAway:                   true,
		h2GoAwayError + "NO_ERROR": true,
		h2CannotRetryFront + h2GoAway + h2CannotRetryBack:                                                                 true,
		h2CannotRetryFront + "stream error: stream ID 7; REFUSED_STREAM; received from peer" + h2CannotRetryBack:          true,
		h2CannotRetryFront + "stream error: stream ID 7; PROTOCOL_ERROR; received from peer" + h2CannotRetryBack:          false,
		h2CannotRetryFront + "stream error: stream ID 7; REFUSED_STREAM; received from peer":                              false,
		"stream error: stream ID 7; CANCEL; received from peer":                                                           false,
		"stream error: stream ID 7; CANCEL; REFUSED_STREAM; received from peer":                                           false,
		`http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug="; REFUSED_STREAM"`: false,
		`malformed HTTP response "http2: Transport received GOAWAY from server ErrCode:NO_ERROR"`:                         false,
		"http2: client connection lost":         false,
		"7; REFUSED_STREAM; received from peer": false,
		"":                                      false,
	} {
		if got := unprocessed(errors.New(text)); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
}
