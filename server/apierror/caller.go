package apierror

import (
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/exchange"
)

// InvalidCredential returns the error of a call whose credential proves no caller. The message must
// not quote it.
func InvalidCredential(message string) *Error {
	return concluded(codes.Unauthenticated, ReasonInvalidCredential, exchange.NotSent, message, nil)
}

// CredentialExpired returns the error of a stream that was authenticated with what has ended since,
// or is no longer its caller's.
// Items that were begun have their responses; nothing was done for the others.
func CredentialExpired() *Error {
	return concluded(codes.Unauthenticated, ReasonCredentialExpired, exchange.NotSent,
		"what the stream was authenticated with has ended, or is no longer the caller's; what has no response was not begun", nil)
}

// AuthenticationUnavailable returns the error of a call whose credential cannot be verified now.
func AuthenticationUnavailable() *Error {
	e := concluded(codes.Unavailable, ReasonAuthenticationUnavailable, exchange.NotSent,
		"the keys of the token's issuer are not there yet; nothing was sent", nil)
	e.RetryAfter = new(defaultRetryAfter)
	return e
}

// maxNames is how many names of accounts an error lists.
const maxNames = 50

// AccountRequired returns the error of a call by a caller that has several accounts and named none.
func AccountRequired(names []string) *Error {
	return concluded(codes.InvalidArgument, ReasonAccountRequired, exchange.NotSent,
		"name an account in the metadata digate-account, in REST the header Digate-Account: "+list(names), nil)
}

// OtherAccount returns the error of a call in an account that its caller may not use. The message does
// not tell whether there is one.
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

// QuotaExceeded returns the error of a call for which a quota is used up until the wait is over.
func QuotaExceeded(message string, wait time.Duration) *Error {
	e := concluded(codes.ResourceExhausted, ReasonQuotaExceeded, exchange.NotSent, message+"; nothing was sent", nil)
	e.RetryAfter = new(min(max(wait, 0), maxRetryAfter))
	return e
}
