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

// The domains of digests. Each digest begins with its domain, so that digests of
// different kinds never match.
const (
	domainKey         = "digate ledger 1 key"
	domainFingerprint = "digate ledger 1 fingerprint"
	domainCheck       = "digate ledger 1 check"
	domainCaller      = "digate ledger 1 caller"
	domainMark        = "digate ledger 1 mark"
)

// Keys makes the digests in the records: HMAC-SHA-256 under a key that is not in
// the ledger. It may be used by many goroutines, and prints as [secret.Redacted].
// The methods of the zero value panic.
type Keys struct {
	// A pointer, because fmt prints the fields of structs that hold a Keys in an
	// unexported field without asking Format, but does not follow pointers there.
	macs *sync.Pool
}

// NewKeys returns the digests under a key of [KeySize] bytes, which it copies.
func NewKeys(key []byte) (Keys, error) {
	if len(key) != KeySize {
		return Keys{}, fmt.Errorf("the key has %d bytes, and needs %d", len(key), KeySize)
	}
	own := string(key)
	return Keys{&sync.Pool{New: func() any { return &digester{mac: hmac.New(sha256.New, []byte(own))} }}}, nil
}

// Key is the digest of a caller, a method and a request id. The method is empty
// for CopyTemplate, whose records came before those of other methods.
func (k Keys) Key(caller, method, requestID string) Digest {
	d := k.begin(domainKey)
	d.addText(caller)
	d.addText(requestID)
	if method != "" {
		d.addText(method)
	}
	return k.end(d)
}

// Fingerprint is the digest of a request's content.
func (k Keys) Fingerprint(parts ...[]byte) Digest { return k.digest(domainFingerprint, parts...) }

// Check is the digest of nothing: two keys have different ones, and neither can be
// read from it.
func (k Keys) Check() Digest { return k.digest(domainCheck) }

// Caller is a short name of the caller with the token: 32 hexadecimal digits from
// which the token cannot be read.
func (k Keys) Caller(token string) string {
	d := k.digest(domainCaller, []byte(token))
	return hex.EncodeToString(d[:16])
}

// MarkLen is how many characters a mark has.
const MarkLen = 10

// markEncoding has no letters that look like digits.
var markEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Mark is a short name of a claim: [MarkLen] digits and small letters, which nobody
// can guess who does not have the key. Each claim of a key has a mark of its own.
func (k Keys) Mark(key Digest, token Token) string {
	d := k.digest(domainMark, key[:], token[:])
	return markEncoding.EncodeToString(d[:])[:MarkLen]
}

// digest is the HMAC of the domain and the parts. The length of each part precedes
// it, so that different parts never make the same input.
func (k Keys) digest(domain string, parts ...[]byte) Digest {
	d := k.begin(domain)
	for _, part := range parts {
		d.add(part)
	}
	return k.end(d)
}

// digester makes one digest at a time.
type digester struct {
	mac  hash.Hash
	text []byte // a length or a text, on its way
}

// begin returns a digester that has the domain.
func (k Keys) begin(domain string) *digester {
	d := k.macs.Get().(*digester)
	d.mac.Reset()
	d.addText(domain)
	return d
}

// end returns the digest, and ends the use of the digester.
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

// Format implements [fmt.Formatter], so that no verb reaches the key.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, secret.Redacted) }

// MarshalText implements [encoding.TextMarshaler], for JSON too.
func (k Keys) MarshalText() ([]byte, error) { return []byte(secret.Redacted), nil }

// LogValue implements [slog.LogValuer].
func (k Keys) LogValue() slog.Value { return slog.StringValue(secret.Redacted) }

var (
	_ fmt.Formatter  = Keys{}
	_ slog.LogValuer = Keys{}
)
