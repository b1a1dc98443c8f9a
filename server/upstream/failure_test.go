package upstream

import (
	"compress/flate"
	"compress/gzip"
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

func TestDescribe_FixedWords_QuoteNothing(t *testing.T) {
	for want, errs := range map[string][]error{
		"cancelled":         {context.Canceled, fmt.Errorf("hunter2: %w: %w", context.Canceled, io.EOF)},
		"deadline exceeded": {context.DeadlineExceeded},
		"the name of the vendor's host did not resolve":       {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "hunter2", Name: "hunter2"}}},
		"the vendor's certificate is not valid for this host": {fmt.Errorf("hunter2: %w", x509.UnknownAuthorityError{}), x509.CertificateInvalidError{Detail: "hunter2", Cert: &x509.Certificate{}}},
		"TLS failed":                             {errors.New("tls: hunter2"), errors.New("remote error: tls: hunter2")},
		"connection refused":                     {&net.OpError{Op: "dial", Err: os.NewSyscallError("hunter2", syscall.ECONNREFUSED)}},
		"connection reset":                       {fmt.Errorf("hunter2: %w", syscall.ECONNRESET), syscall.EPIPE},
		"connection closed":                      {io.EOF, io.ErrUnexpectedEOF, fmt.Errorf("hunter2: %w", net.ErrClosed)},
		"timed out":                              {&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}},
		"dial failed":                            {&net.OpError{Op: "dial", Err: errors.New("hunter2")}},
		"the answer's gzip coding is broken":     {fmt.Errorf("hunter2: %w", gzip.ErrHeader), gzip.ErrChecksum, flate.CorruptInputError(7)},
		errAnswerTooLarge.Error():                {fmt.Errorf("hunter2: %w", errAnswerTooLarge)},
		errCoding.Error():                        {fmt.Errorf("hunter2: %w", errCoding)},
		"the HTTP/2 stream or connection failed": {errors.New(`http2: server sent GOAWAY; debug="hunter2"`), errors.New("stream error: stream ID 1; hunter2"), errors.New("connection error: hunter2")},
		"the answer is not HTTP":                 {errors.New(`net/http: HTTP/1.x transport connection broken: malformed HTTP response "hunter2"`)},
		"the exchange failed":                    {errors.New("hunter2")},
	} {
		for _, err := range errs {
			if got := describe(err); got != want {
				t.Errorf("%v: got %q, want %q", err, got, want)
			}
		}
	}
}
