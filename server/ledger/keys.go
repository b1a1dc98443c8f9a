package ledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"sync"

	"github.com/digate/digate/server/secret"
)

// KeySize is the size of the HMAC key in bytes.
const KeySize = 32

// The domains of digests. Each digest includes its domain, so that digests of different
// kinds never match.
const (
	domainKey         = "digate ledger 1 key"
	domainFingerprint = "digate ledger 1 fingerprint"
	domainCheck       = "digate ledger 1 check"
	domainCaller      = "digate ledger 1 caller"
	domainMark        = "digate ledger 1 mark"
)

// Keys computes the digests in the records: HMAC-SHA-256 with a key that is not in the
// ledger. It is safe for concurrent use, and prints as [secret.Redacted]. The methods of
// the zero Keys panic.
type Keys struct {
	// macs is a pointer because fmt prints the fields of a Keys in an unexported field
	// without calling Format, but does not follow pointers there.
	macs *sync.Pool
}

// NewKeys returns the Keys with an HMAC key of [KeySize] bytes, which it copies.
func NewKeys(key []byte) (Keys, error) {
	if len(key) != KeySize {
		return Keys{}, fmt.Errorf("the key has %d bytes, and needs %d", len(key), KeySize)
	}
	own := string(key)
	return Keys{&sync.Pool{New: func() any { return &digester{mac: hmac.New(sha256.New, []byte(own))} }}}, nil
}

// Key returns the digest of a caller, a method and a request id. The method is empty for
// CopyTemplate, whose records existed before those of other methods.
func (k Keys) Key(caller, method, requestID string) Digest {
	d := k.begin(domainKey)
	d.addText(caller)
	d.addText(requestID)
	if method != "" {
		d.addText(method)
	}
	return k.end(d)
}

// Fingerprint returns the digest of a request's content.
func (k Keys) Fingerprint(parts ...[]byte) Digest { return k.digest(domainFingerprint, parts...) }

// Check returns a digest that depends only on the HMAC key. It tells whether two keys are
// the same without revealing them.
func (k Keys) Check() Digest { return k.digest(domainCheck) }

// Caller returns the identity of the caller with a token: 32 hexadecimal digits that do
// not reveal the token.
func (k Keys) Caller(token string) string {
	d := k.digest(domainCaller, []byte(token))
	return hex.EncodeToString(d[:16])
}

// MarkLen is the length of a mark in characters.
const MarkLen = 10

// markEncoding has no letters that look like digits.
var markEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Mark returns the mark of a claim: [MarkLen] digits and lower-case letters that nobody
// can guess without the HMAC key. Each claim of a key has a different mark.
func (k Keys) Mark(key Digest, token Token) string {
	d := k.digest(domainMark, key[:], token[:])
	return markEncoding.EncodeToString(d[:])[:MarkLen]
}

// digest returns the HMAC of the domain and the parts. Each part is preceded by its
// length, so that different parts never give the same input.
func (k Keys) digest(domain string, parts ...[]byte) Digest {
	d := k.begin(domain)
	for _, part := range parts {
		d.add(part)
	}
	return k.end(d)
}

// digester computes one digest at a time.
type digester struct {
	mac  hash.Hash
	text []byte // buffer for a length or a text
}

// begin returns a digester that has read the domain.
func (k Keys) begin(domain string) *digester {
	d := k.macs.Get().(*digester)
	d.mac.Reset()
	d.addText(domain)
	return d
}

// end returns the digest, and puts the digester back into the pool.
func (k Keys) end(d *digester) (sum Digest) {
	d.text = d.mac.Sum(d.text[:0])
	copy(sum[:], d.text)
	k.macs.Put(d)
	return sum
}

func (d *digester) add(b []byte) {
	d.addLength(len(b))
	d.mac.Write(b)
}

func (d *digester) addText(s string) {
	d.addLength(len(s))
	d.text = append(d.text[:0], s...)
	d.mac.Write(d.text)
}

func (d *digester) addLength(n int) {
	d.text = binary.BigEndian.AppendUint64(d.text[:0], uint64(n))
	d.mac.Write(d.text)
}

// String implements [fmt.Stringer].
func (k Keys) String() string { return secret.Redacted }

// Format implements [fmt.Formatter], so that no verb prints the key.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, secret.Redacted) }

// MarshalText implements [encoding.TextMarshaler], which JSON uses too.
func (k Keys) MarshalText() ([]byte, error) { return []byte(secret.Redacted), nil }

// LogValue implements [slog.LogValuer].
func (k Keys) LogValue() slog.Value { return slog.StringValue(secret.Redacted) }

var (
	_ fmt.Formatter  = Keys{}
	_ slog.LogValuer = Keys{}
)
