package ledgertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/digate/digate/server/ledger"
)

// plain has the parts of calls that a store must not have.
var plain = []string{
	"tok-5ecret-bearer-0f-the-caller",
	"request-id-in-the-clear-4711",
	"The name of an integration",
	"sk-api-key-of-somebody",
	"https://host.of.a.customer.example/v1",
	"value-of-a-variable",
}

// UseSecrets leaves records of calls full of secrets, in every state. The function
// that it returns finds those secrets in a dump of the store, plain or as a digest
// without a key.
func UseSecrets(t testing.TB, s ledger.Store) (find func(dump []byte) []string) {
	t.Helper()
	secretKey := bytes.Repeat([]byte("key-0f-hmac-"), 3)[:ledger.KeySize]
	keys, err := ledger.NewKeys(secretKey)
	must(t, "NewKeys", err)
	must(t, "KeyCheck", s.KeyCheck(t.Context(), keys.Check()))
	var parts [][]byte
	for _, p := range plain {
		parts = append(parts, []byte(p))
	}
	for _, to := range []func(context.Context, ledger.Store, ledger.Claim) error{toClaimed, toSending, toDone, toUnknown, toReleased} {
		for i, p := range plain {
			c := newClaim()
			c.Key, c.Fingerprint = keys.Key(plain[0], "", fmt.Sprint(p, i)), keys.Fingerprint(parts...)
			if i == 0 {
				c.Key, c.Fingerprint = keys.Key(plain[0], "", plain[1]), keys.Fingerprint([]byte(p))
			}
			if _, _, err := s.Claim(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if i > 0 {
				c.Key = digest() // several calls may have one key
				claim(t, s, c)
			}
			_ = to(t.Context(), s, c)
		}
	}
	return func(dump []byte) (found []string) {
		lower := bytes.ToLower(dump)
		for _, p := range append([]string{string(secretKey)}, plain...) {
			sum := sha256.Sum256([]byte(p))
			for form, needle := range map[string]string{
				"itself": p, "itself in hex": hex.EncodeToString([]byte(p)), "itself in base64": base64.StdEncoding.EncodeToString([]byte(p)),
				"its SHA-256": string(sum[:]), "its SHA-256 in hex": hex.EncodeToString(sum[:]),
				"its SHA-256 in base64":     base64.StdEncoding.EncodeToString(sum[:]),
				"its SHA-256 in URL base64": base64.RawURLEncoding.EncodeToString(sum[:]),
			} {
				needle = strings.TrimRight(needle, "=")
				if bytes.Contains(dump, []byte(needle)) || bytes.Contains(lower, bytes.ToLower([]byte(needle))) {
					found = append(found, p+": "+form)
				}
			}
		}
		return found
	}
}
