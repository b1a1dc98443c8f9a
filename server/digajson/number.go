package digajson

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

const (
	// maxExact is the number up to which a double can represent every integer.
	maxExact = 1 << 53
	// endOfIntegers is the limit above which doubles are written with an exponent, so
	// that 1e300 does not become an integer of 301 digits. ECMAScript's Number::toString
	// and RFC 8785 have the same limit.
	endOfIntegers = 1e21
)

// integer returns the value of a number if it is an integer in any spelling: 1.0 and 1e2
// are integers too. For any other number it returns the kind of the error.
func integer(raw string) (negative bool, magnitude uint64, kind string) {
	d := decimalOf(raw)
	switch {
	case d.digits == "":
		return d.negative, 0, ""
	case d.exp < 0:
		return d.negative, 0, kindInt
	case len(d.digits)+d.exp > maxDigits:
		return d.negative, 0, kindIntRange
	}
	magnitude, err := strconv.ParseUint(d.digits+strings.Repeat("0", d.exp), 10, 64)
	if err != nil {
		return d.negative, 0, kindIntRange
	}
	return d.negative, magnitude, ""
}

// decimal is a number as written: its digits, times ten to the power of exp. The digits
// have no zero at either end. Zero has no digits.
type decimal struct {
	negative bool
	digits   string
	exp      int
}

func decimalOf(raw string) (d decimal) {
	raw, d.negative = strings.CutPrefix(raw, "-")
	if i := strings.IndexAny(raw, "eE"); i >= 0 {
		d.exp = exponent(raw[i+1:])
		raw = raw[:i]
	}
	whole, fraction, _ := strings.Cut(raw, ".")
	d.exp -= len(fraction)
	raw = strings.TrimLeft(whole+fraction, "0")
	if raw == "" {
		return decimal{negative: d.negative}
	}
	d.digits = strings.TrimRight(raw, "0")
	d.exp += len(raw) - len(d.digits)
	return d
}

// maxShort is the number of digits up to which converting a decimal to a double and back
// always gives the same decimal.
const maxShort = 15

// bringsBack reports whether n, the double that raw was converted to, is written as the
// same decimal again.
func bringsBack(raw string, n float64) bool {
	if abs := math.Abs(n); len(raw) <= maxShort && abs > 1e-290 && abs < 1e290 {
		return true
	}
	return decimalOf(raw) == decimalOf(string(strconv.AppendFloat(make([]byte, 0, 32), n, 'e', -1, 64)))
}

// maxDigits is the number of digits of the largest uint64.
const maxDigits = 20

// exponent returns the exponent in the text, limited to maxExponent.
func exponent(s string) int {
	n, err := strconv.Atoi(s)
	switch {
	case err == nil && n > -maxExponent && n < maxExponent:
		return n
	case s[0] == '-':
		return -maxExponent
	default:
		return maxExponent
	}
}

// maxExponent is larger than the length of any text.
const maxExponent = math.MaxInt / 4

// exact reports whether the double n equals the integer raw, and is written as that
// integer again.
func exact(raw string, n float64) bool {
	abs := math.Abs(n)
	if abs < maxExact {
		return true
	}
	if abs >= endOfIntegers {
		return false
	}
	want, ok := new(big.Int).SetString(raw, 10)
	if !ok {
		return false
	}
	got, _ := big.NewFloat(n).Int(nil)
	return want.Cmp(got) == 0
}

// held reports whether a double represents a number: it was converted to n, and n is
// written as the same number again.
func held(raw string, n float64, integer bool) bool {
	if integer {
		return exact(raw, n)
	}
	return bringsBack(raw, n)
}

// inexact returns the error message for an integer that was converted to n and is not
// exact.
func inexact(n float64) string {
	if math.Abs(n) >= endOfIntegers {
		return "is an integer of more than 21 digits; write it as a string"
	}
	return "is an integer that a double cannot hold exactly; write it as a string"
}

// appendFloat writes integers below 1e21 with all digits. It writes other numbers so that
// no reader takes them for an integer, in the fewest digits that identify the double.
func appendFloat(dst []byte, f float64, bits int) ([]byte, error) {
	abs := math.Abs(f)
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return dst, &Error{Kind: kindFinite, Message: "must be a finite number"}
	case f == math.Trunc(f) && abs <= maxExact:
		if f == 0 && math.Signbit(f) {
			return append(dst, "-0"...), nil
		}
		return strconv.AppendInt(dst, int64(f), 10), nil
	case f == math.Trunc(f) && abs < endOfIntegers:
		return strconv.AppendFloat(dst, f, 'f', 0, 64), nil // all digits, not the fewest
	case abs >= endOfIntegers || abs < 1e-6:
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'e', -1, bits)
		// e-09 becomes e-9, as in JavaScript.
		if n := len(dst); n-start >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' {
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst, nil
	default:
		return strconv.AppendFloat(dst, f, 'f', -1, bits), nil
	}
}
