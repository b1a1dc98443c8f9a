package apierror

import (
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/exchange"
)

// InvalidCredential returns the error of a call whose credential does not identify a
// caller. The message must not quote the credential.
func InvalidCredential(message string) *Error {
	return concluded(codes.Unauthenticated, ReasonInvalidCredential, exchange.NotSent, message, nil)
}

// CredentialExpired returns the error of a stream whose credential has expired or no
// longer belongs to its caller. Items that were begun have their responses, and nothing
// was done for the others.
func CredentialExpired() *Error {
	return concluded(codes.Unauthenticated, ReasonCredentialExpired, exchange.NotSent,
		"what the stream was authenticated with has ended, or is no longer the caller's; what has no response was not begun", nil)
}

// AuthenticationUnavailable returns the error of a call whose credential cannot be
// verified at present.
func AuthenticationUnavailable() *Error {
	e := concluded(codes.Unavailable, ReasonAuthenticationUnavailable, exchange.NotSent,
		"the keys of the token's issuer are not there yet; nothing was sent", nil)
	e.RetryAfter = new(defaultRetryAfter)
	return e
}

// maxNames is the maximum number of account names in an error.
const maxNames = 50

// AccountRequired returns the error of a call that names no account although its caller
// has several.
func AccountRequired(names []string) *Error {
	return concluded(codes.InvalidArgument, ReasonAccountRequired, exchange.NotSent,
		"name an account in the metadata digate-account, in REST the header Digate-Account: "+list(names), nil)
}

// OtherAccount returns the error of a call in an account that its caller may not use. The
// message does not reveal whether the account exists.
func OtherAccount(names []string) *Error {
	return concluded(codes.PermissionDenied, ReasonNotAllowed, exchange.NotSent,
		"the caller may not use this account; it may use "+list(names), nil)
}

// list returns names for a message.
func list(names []string) string {
	end := ""
	if len(names) > maxNames {
		names, end = names[:maxNames], ", …"
	}
	return strings.Join(names, ", ") + end
}

// NotAllowed returns the error of a call that the file of accounts does not allow.
func NotAllowed(message string) *Error {
	return concluded(codes.PermissionDenied, ReasonNotAllowed, exchange.NotSent, message, nil)
}

// QuotaExceeded returns the error of a call that exceeds a quota. After the wait, the
// quota allows another call.
func QuotaExceeded(message string, wait time.Duration) *Error {
	e := concluded(codes.ResourceExhausted, ReasonQuotaExceeded, exchange.NotSent, message+"; nothing was sent", nil)
	e.RetryAfter = new(min(max(wait, 0), maxRetryAfter))
	return e
}
