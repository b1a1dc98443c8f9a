package web

import (
	"bytes"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	connectTimeout = regexp.MustCompile(`^[0-9]{1,10}$`)
	grpcTimeout    = regexp.MustCompile(`^[0-9]{1,8}[HMSmun]$`)
)

// FuzzConnectTimeout reads any header. What Connect's grammar has is so many milliseconds;
// nothing else is a timeout.
func FuzzConnectTimeout(f *testing.F) {
	for _, s := range []string{"", "0", "1", "0000000001", "9999999999", "10000000000", "-1", "+1", "1_0", "1.5", " 1", "1 ", "0x1", "1e3", "١"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseConnectTimeout(text)
		if ok != connectTimeout.MatchString(text) {
			t.Fatalf("%q: %v, %v", text, got, ok)
		}
		if want := nanoseconds(text, time.Millisecond); ok && got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	})
}

// FuzzGRPCTimeout reads any header. What gRPC's grammar has is so long, or the longest
// that a duration can be; nothing else is a timeout.
func FuzzGRPCTimeout(f *testing.F) {
	for _, s := range []string{"", "H", "1", "0n", "1H", "99999999H", "2562047H", "2562048H", "99999999M", "100000000n", "+1S", "-1S", "1s", "1SS", "1 S", "1_0S", "1é"} {
		f.Add(s)
	}
	unit := map[string]time.Duration{
		"H": time.Hour, "M": time.Minute, "S": time.Second, "m": time.Millisecond, "u": time.Microsecond, "n": time.Nanosecond,
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseGRPCTimeout(text)
		if ok != grpcTimeout.MatchString(text) {
			t.Fatalf("%q: %v, %v", text, got, ok)
		}
		if !ok {
			return
		}
		number, name := text[:len(text)-1], text[len(text)-1:]
		if want := nanoseconds(number, unit[name]); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	})
}

// nanoseconds returns so many units, counted without bounds, and at most the longest
// duration.
func nanoseconds(number string, unit time.Duration) time.Duration {
	n, ok := new(big.Int).SetString(number, 10)
	if !ok {
		return 0
	}
	n.Mul(n, big.NewInt(int64(unit)))
	if !n.IsInt64() {
		return math.MaxInt64
	}
	return time.Duration(n.Int64())
}

// FuzzUnmarshal hands over any message: a call gets its bytes, and keeps them when
// connect-go uses its buffer again.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{"", "{}", "\x0a\x01a", gzipMagic, strings.Repeat("x", 100)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		buffer := bytes.Clone(message)
		var got frame
		if err := (codec{}).Unmarshal(buffer, &got); err != nil {
			t.Fatal(err)
		}
		for i := range buffer {
			buffer[i] ^= 0xff
		}
		if !bytes.Equal(got.request, message) {
			t.Errorf("%q: got %q", message, got.request)
		}
	})
}
