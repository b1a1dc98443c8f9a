package ledger_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/digate/digate/server/ledger"
)

var secretKey = []byte("0123456789-secret-0123456789-key")

func newKeys(t *testing.T) ledger.Keys {
	t.Helper()
	keys, err := ledger.NewKeys(secretKey)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestKeys_DifferentInputs_HaveDifferentDigests(t *testing.T) {
	keys := newKeys(t)
	b := func(parts ...string) (all [][]byte) {
		for _, p := range parts {
			all = append(all, []byte(p))
		}
		return all
	}
	seen := make(map[ledger.Digest]string)
	for what, d := range map[string]ledger.Digest{
		"key ab,c":             keys.Key("ab", "", "c"),
		"key a,bc":             keys.Key("a", "", "bc"),
		"key abc,":             keys.Key("abc", "", ""),
		"key ,abc":             keys.Key("", "", "abc"),
		"key ab,c of a method": keys.Key("ab", "m", "c"),
		"key ab,cm":            keys.Key("ab", "", "cm"),
		"key ab,c of another":  keys.Key("ab", "n", "c"),
		"fingerprint ab,c":     keys.Fingerprint(b("ab", "c")...),
		"fingerprint a,bc":     keys.Fingerprint(b("a", "bc")...),
		"fingerprint abc":      keys.Fingerprint(b("abc")...),
		"fingerprint abc,":     keys.Fingerprint(b("abc", "")...),
		"fingerprint ,abc":     keys.Fingerprint(b("", "abc")...),
		"fingerprint":          keys.Fingerprint(),
		"fingerprint of none":  keys.Fingerprint(b("")...),
		"check":                keys.Check(),
	} {
		if other, ok := seen[d]; ok {
			t.Errorf("%q and %q have one digest", what, other)
		}
		seen[d] = what
	}
}

// A mark tells apart the claims of one key, and is of characters that a name keeps.
func TestKeys_Mark_IsThatOfOneClaim(t *testing.T) {
	keys := newKeys(t)
	other, err := ledger.NewKeys(bytes.Repeat([]byte{1}, ledger.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for i := range byte(100) {
		for _, mark := range []string{
			keys.Mark(ledger.Digest{i}, ledger.Token{1}), keys.Mark(ledger.Digest{200}, ledger.Token{2, i}), other.Mark(ledger.Digest{i}, ledger.Token{1}),
		} {
			if len(mark) != ledger.MarkLen || strings.Trim(mark, "0123456789abcdefghjkmnpqrstvwxyz") != "" || seen[mark] {
				t.Errorf("%q, known %v", mark, seen[mark])
			}
			seen[mark] = true
		}
	}
	if a, b := keys.Mark(ledger.Digest{1}, ledger.Token{2}), newKeys(t).Mark(ledger.Digest{1}, ledger.Token{2}); a != b {
		t.Errorf("one claim has the marks %q and %q", a, b)
	}
}

func TestKeys_SameKey_SameDigests(t *testing.T) {
	a, b := newKeys(t), newKeys(t)
	for range 3 { // the hash is used again
		if a.Key("c", "", "r") != b.Key("c", "", "r") || a.Fingerprint([]byte("x")) != b.Fingerprint([]byte("x")) || a.Check() != b.Check() || a.Caller("t") != b.Caller("t") {
			t.Fatal("one key makes two digests")
		}
	}
	c := ledger.RandomKeys()
	if a.Key("c", "", "r") == c.Key("c", "", "r") || a.Check() == c.Check() || a.Caller("t") == c.Caller("t") {
		t.Error("two keys make one digest")
	}
}

// Later versions must find the records of this one.
func TestKeys_Digests_StayAsTheyAre(t *testing.T) {
	keys := newKeys(t)
	key, other := keys.Key("caller", "", "request"), keys.Key("caller", "method", "request")
	fingerprint, check := keys.Fingerprint([]byte("a"), []byte("b")), keys.Check()
	for _, test := range []struct{ what, got, want string }{
		{"key", hex.EncodeToString(key[:]), "a8e65a1712b298fd35ba254cc05359946b8f8c7103bbb8b6d02d7ce1f522fcba"},
		{"key of another method", hex.EncodeToString(other[:]), "b73d34c7befa4223cc8f49c625a014d5be2d6602ef85c51eb7fcc9ec48379da7"},
		{"fingerprint", hex.EncodeToString(fingerprint[:]), "7be45b24285f8f95905d2c8fc70ae607d5c6f33fee808b518d570fc8bcbefef7"},
		{"check", hex.EncodeToString(check[:]), "ca29db7cdd3309c7d78f32b5d0d3e5f62e4922c9b549ccd2d5b42cfe8c8de1e3"},
		{"caller", keys.Caller("token"), "4a32050466e7bc84b082e4d099926d6c"},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %s, want %s", test.what, test.got, test.want)
		}
	}
}

func TestKeys_EveryPrintingPath_HidesTheKey(t *testing.T) {
	keys := newKeys(t)
	holders := []any{
		keys, &keys, []ledger.Keys{keys}, map[string]ledger.Keys{"k": keys},
		struct{ Keys ledger.Keys }{keys}, struct{ keys ledger.Keys }{keys}, &struct{ keys *ledger.Keys }{&keys},
	}
	var out bytes.Buffer
	for _, h := range holders {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", h)
		}
		if text, err := json.Marshal(h); err == nil {
			out.Write(text)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "h", h)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "h", h)
	}
	got := strings.ToLower(out.String())
	decimal := strings.Trim(fmt.Sprint(secretKey[10:16]), "[]")
	for _, needle := range []string{"secret", hex.EncodeToString([]byte("secret")), decimal} {
		if strings.Contains(got, needle) {
			t.Errorf("%q is printed:\n%s", needle, got)
		}
	}
}

func TestNewKeys_WrongSize_IsRefused(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33, 64} {
		if _, err := ledger.NewKeys(make([]byte, n)); err == nil {
			t.Errorf("%d bytes are taken", n)
		}
	}
}

func TestNewKeys_KeyOverwrittenAfterwards_PlaysNoPart(t *testing.T) {
	key := bytes.Clone(secretKey)
	keys, err := ledger.NewKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	clear(key)
	if keys.Check() != newKeys(t).Check() {
		t.Error("the key was not copied")
	}
}

func BenchmarkKeys_Key(b *testing.B) {
	keys := ledger.RandomKeys()
	b.ReportAllocs()
	for b.Loop() {
		keys.Key("a caller of some length", "", "0190a8e5-7d9a-7c2e-9d0e-2b1f6a3c4d5e")
	}
}

// More than are made of one reading, by many at once.
func TestNewToken_ManyAtOnce_AreAllDifferent(t *testing.T) {
	t.Parallel()
	const callers, each = 8, 1000
	made := make(chan ledger.Token, callers*each)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				made <- ledger.NewToken()
			}
		})
	}
	wg.Wait()
	seen := make(map[ledger.Token]bool)
	for range callers * each {
		token := <-made
		if seen[token] || token == (ledger.Token{}) {
			t.Fatalf("%x", token)
		}
		seen[token] = true
	}
}
