package authn

import (
	"strings"

	"github.com/digate/digate/server/apierror"
)

// maxToken is the maximum size of a bearer token, in bytes.
const maxToken = 8 << 10

// Bearer returns the token in the values of an authorization header. There must be
// exactly one value: `Bearer` in any case (RFC 9110, 11.1), at least one space, and a
// token of visible ASCII characters.
func Bearer(authorization []string) (string, error) {
	switch len(authorization) {
	case 0:
		return "", apierror.MissingCredential("the authorization header is missing; it must be: Bearer TOKEN")
	case 1:
	default:
		return "", apierror.MissingCredential("there is more than one authorization header")
	}
	scheme, token, found := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", apierror.MissingCredential("the authorization header is not of the form: Bearer TOKEN")
	}
	token = strings.Trim(token, " ")
	if !found || token == "" {
		return "", apierror.MissingCredential("the bearer token is empty")
	}
	if len(token) > maxToken {
		return "", apierror.MissingCredential("the bearer token is too long")
	}
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c > '~' {
			return "", apierror.MissingCredential("the bearer token has characters that no token may have")
		}
	}
	return token, nil
}
