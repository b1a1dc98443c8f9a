package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/MicahParks/jwkset"
)

const (
	// maxKeySet is the maximum size of a key set in bytes, and maxKeys the maximum number
	// of its keys.
	maxKeySet = 1 << 20
	maxKeys   = 200
	// The permitted sizes of RSA keys in bits. Smaller keys are weak (RFC 7518, 3.3), and
	// larger keys are slow to verify with.
	minRSA, maxRSA = 2048, 8192
)

// key is a public key of a key set.
type key struct {
	id        string
	algorithm string // the only algorithm it may be used for; empty for every algorithm that fits
	public    any
}

// parseKeys returns the keys of a key set (RFC 7517) that can verify signatures. As the
// standard requires, it ignores keys with another use or of an unknown type.
func parseKeys(text []byte) ([]key, error) {
	if len(text) > maxKeySet {
		return nil, fmt.Errorf("the key set is larger than %d bytes", maxKeySet)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(text, &set) != nil {
		return nil, errors.New("there is no JSON of a key set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has more than %d keys", maxKeys)
	}
	var keys []key
	for _, raw := range set.Keys {
		jwk, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{SkipX5UScheme: true})
		if err != nil {
			continue
		}
		m := jwk.Marshal()
		if m.USE != "" && m.USE != jwkset.UseSig || !usable(jwk.Key()) {
			continue
		}
		keys = append(keys, key{id: m.KID, algorithm: m.ALG.String(), public: jwk.Key()})
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no key that signatures can be verified with")
	}
	return keys, nil
}

// usable reports whether a key is public and has a permitted size.
func usable(public any) bool {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSA && k.N.BitLen() <= maxRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	default: // a shared secret, or a published private key
		return false
	}
}

// fits reports whether the key may verify signatures of an algorithm. Each algorithm has
// one type of key and, for elliptic curves, one curve (RFC 7518, 3.4).
func (k *key) fits(algorithm string) bool {
	if k.algorithm != "" && k.algorithm != algorithm {
		return false
	}
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		return algorithm[0] == 'R' || algorithm[0] == 'P'
	case *ecdsa.PublicKey:
		return algorithm == map[elliptic.Curve]string{elliptic.P256(): "ES256", elliptic.P384(): "ES384", elliptic.P521(): "ES512"}[public.Curve]
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	default:
		return false
	}
}
