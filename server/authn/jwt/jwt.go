// Package jwt verifies callers' JSON Web Tokens (RFC 7519, RFC 8725) with the keys of
// their issuers. It reads the keys in the background.
package jwt

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/apierror"
)

// The reasons why a token is refused. None of the errors quotes the token.
var (
	ErrMalformed = errors.New("the token is not a signed JWT")
	ErrIssuer    = errors.New("the token's issuer is not known")
	ErrAlgorithm = errors.New("the token's signature algorithm is not one of its issuer's")
	ErrSignature = errors.New("the token's signature is not one of its issuer's")
	ErrExpired   = errors.New("the token is expired")
	ErrNotYet    = errors.New("the token is not valid yet")
	ErrAudience  = errors.New("the token is not for this server: its audience is another")
	ErrClaims    = errors.New("the token's claims are not as they must be")
	// ErrNoKeys means that the issuer's keys have not been read yet, or are being read.
	ErrNoKeys = errors.New("the keys of the token's issuer are not there yet")
)

// NoKeysError is the error of an issuer whose keys were never read. None of the issuer's
// tokens can be verified.
type NoKeysError struct{ err error }

// Error returns why the keys cannot be read.
func (e *NoKeysError) Error() string { return e.err.Error() }

// Unwrap returns the wrapped error.
func (e *NoKeysError) Unwrap() error { return e.err }

// Token is a verified token.
type Token struct {
	// Issuer is the name of the token's issuer in the file of accounts.
	Issuer string
	// Expires is when the token expires.
	Expires time.Time

	claims jwt.MapClaims
	keys   *[]key // one of them verified the token
	source *source
}

// Holds reports whether the verification is still valid: the token has not expired, and
// the keys of its issuer are the same.
func (t *Token) Holds() bool { return t.source.keys.Load() == t.keys && time.Now().Before(t.Expires) }

// Has reports whether a claim is a string with this value, or a list that contains it.
func (t *Token) Has(claim, value string) bool {
	switch c := t.claims[claim].(type) {
	case string:
		return c == value
	case []any:
		return slices.ContainsFunc(c, func(v any) bool { return v == any(value) })
	default:
		return false
	}
}

// Text returns the value of a claim that is a string. It returns an empty string for any
// other claim.
func (t *Token) Text(claim string) string {
	text, _ := t.claims[claim].(string)
	return text
}

// Refusal returns the [apierror.Error] of a call for an error of [Verifier.Verify].
func Refusal(err error) error {
	if errors.Is(err, ErrNoKeys) {
		return apierror.AuthenticationUnavailable()
	}
	return apierror.InvalidCredential(err.Error())
}

// Verifier verifies tokens of a set of issuers. It is safe for concurrent use.
type Verifier struct {
	issuers map[string]*issuer // by the claim iss
	parser  *jwt.Parser
	told    func(issuer string, err error)
	cancel  context.CancelFunc
	running sync.WaitGroup
}

type issuer struct {
	*accounts.Issuer

	source    *source
	validator *jwt.Validator
}

// firstKeys is how long [New] waits for the keys of all issuers.
const firstKeys = 5 * time.Second

// New returns a verifier that reads the issuers' keys in the background until it is
// closed. New waits a few seconds for the first keys and then returns without the rest,
// so that an unreachable issuer does not affect the callers of other issuers. told, which
// may be nil, is called with an error when the keys of an issuer cannot be read, and with
// nil when they can be read again. The error is a [NoKeysError] if the keys were never
// read.
func New(ctx context.Context, issuers []*accounts.Issuer, told func(issuer string, err error)) (*Verifier, error) {
	return newVerifier(ctx, issuers, told, nil)
}

// Next returns a verifier of other issuers. It starts with the keys of the key sets that
// v has read, even if these cannot be read at present. Close v afterwards.
func (v *Verifier) Next(ctx context.Context, issuers []*accounts.Issuer) (*Verifier, error) {
	return newVerifier(ctx, issuers, v.told, v)
}

// source returns the source of an issuer's key set. It returns nil if v is nil or has no
// such source.
func (v *Verifier) source(of *accounts.Issuer) *source {
	if v == nil {
		return nil
	}
	for _, i := range v.issuers {
		if i.Name == of.Name && i.Keys == of.Keys {
			return i.source
		}
	}
	return nil
}

func newVerifier(ctx context.Context, issuers []*accounts.Issuer, told func(issuer string, err error), before *Verifier) (*Verifier, error) {
	if told == nil {
		told = func(string, error) {}
	}
	v := &Verifier{issuers: make(map[string]*issuer), told: told}
	for _, i := range issuers {
		source, err := newSource(i.Name, i.Keys, told)
		if err != nil {
			return nil, err
		}
		if had := before.source(i); had != nil {
			source.inherit(had)
		}
		v.issuers[i.Issuer] = &issuer{i, source, jwt.NewValidator(
			jwt.WithIssuer(i.Issuer), jwt.WithAudience(i.Audience), jwt.WithLeeway(i.Leeway), jwt.WithExpirationRequired(),
		)}
	}
	v.parser = jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding())
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	v.cancel = cancel
	var first sync.WaitGroup
	for _, i := range v.issuers {
		first.Add(1)
		v.running.Go(func() { i.source.run(background, first.Done) })
	}
	ready := make(chan struct{})
	go func() { first.Wait(); close(ready) }()
	sleep(ctx, firstKeys, ready)
	return v, nil
}

// Close stops reading keys.
func (v *Verifier) Close() {
	v.cancel()
	v.running.Wait()
}

// Failing returns the names of the issuers whose keys cannot be read at present.
func (v *Verifier) Failing() []string {
	var names []string
	for _, i := range v.issuers {
		if i.source.failing() {
			names = append(names, i.Name)
		}
	}
	slices.Sort(names)
	return names
}

// KeysRead returns when the keys of each issuer were last read, by the issuer's name. The
// time is zero if they were never read.
func (v *Verifier) KeysRead() map[string]time.Time {
	read := make(map[string]time.Time, len(v.issuers))
	for _, i := range v.issuers {
		read[i.Name] = i.source.lastRead()
	}
	return read
}

// Verify returns the verified token, or one of the errors of this package. It never
// waits.
func (v *Verifier) Verify(text string) (*Token, error) {
	var by *issuer
	var keys *[]key
	token, err := v.parser.ParseWithClaims(text, jwt.MapClaims{}, func(t *jwt.Token) (any, error) {
		iss, _ := t.Claims.(jwt.MapClaims)["iss"].(string)
		if by = v.issuers[iss]; by == nil {
			return nil, ErrIssuer
		}
		keys = by.source.keys.Load()
		return by.key(t, keys)
	})
	if err != nil {
		return nil, reason(err, ErrSignature)
	}
	claims := token.Claims.(jwt.MapClaims)
	if err := by.validator.Validate(claims); err != nil {
		return nil, reason(err, ErrClaims)
	}
	expires, err := claims.GetExpirationTime()
	if err != nil {
		return nil, ErrClaims
	}
	return &Token{Issuer: by.Name, Expires: expires.Add(by.Leeway), claims: claims, keys: keys, source: by.source}, nil
}

// key returns the key to verify a token with. The token's header may name the key (kid);
// other header fields about keys (jwk, jku, x5u, x5c) are never used.
func (i *issuer) key(t *jwt.Token, keys *[]key) (any, error) {
	algorithm := t.Method.Alg()
	if !slices.Contains(i.Algorithms, algorithm) {
		return nil, ErrAlgorithm
	}
	if _, has := t.Header["crit"]; has { // RFC 7515, 4.1.11: a token with a critical extension that is not understood must be refused
		return nil, ErrMalformed
	}
	if keys == nil {
		i.source.requestRefresh()
		return nil, ErrNoKeys
	}
	id, named := t.Header["kid"].(string)
	var fit []key
	for _, k := range *keys {
		if k.fits(algorithm) && (!named || k.id == id) {
			fit = append(fit, k)
		}
	}
	switch {
	case len(fit) == 1, len(fit) > 1 && named:
		return fit[0].public, nil
	case named && len(fit) == 0 && i.source.requestRefresh():
		return nil, ErrNoKeys
	default:
		return nil, ErrSignature
	}
}

// reason returns the error of this package that corresponds to an error of the library,
// or otherwise if none does.
func reason(err, otherwise error) error {
	for _, own := range []error{ErrIssuer, ErrAlgorithm, ErrMalformed, ErrNoKeys, ErrSignature} {
		if errors.Is(err, own) {
			return own
		}
	}
	for _, c := range []struct{ of, is error }{
		{jwt.ErrTokenMalformed, ErrMalformed},
		{jwt.ErrTokenUnverifiable, ErrAlgorithm}, // an algorithm that does not exist
		{jwt.ErrTokenExpired, ErrExpired},
		{jwt.ErrTokenNotValidYet, ErrNotYet},
		{jwt.ErrTokenUsedBeforeIssued, ErrNotYet},
		{jwt.ErrTokenInvalidAudience, ErrAudience},
	} {
		if errors.Is(err, c.of) {
			return c.is
		}
	}
	return otherwise
}
