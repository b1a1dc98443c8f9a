package digajson

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
)

// Canonical returns the value that a JSON text is, in the one form of all its
// spellings: a Value if doubles hold its numbers, or else JSON. An integer has to be
// the double, and a decimal is the double nearest to it. Both are unset for a text that
// [CheckVerbatim] refuses.
func Canonical(text string) (v *structpb.Value, json string) {
	d := newValueDecoder(text, 1)
	d.canonical = true
	v, err := d.whole()
	if err != nil {
		return nil, ""
	}
	if !d.lost {
		return v, ""
	}
	b, err := (&encoder{canonical: true}).anyValue(nil, v)
	if err != nil {
		return nil, ""
	}
	return nil, string(b)
}

// numberMark begins a string that stands for a number which no double holds. It is not
// valid UTF-8, and every other string is.
const numberMark = "\xff"

// canonicalNumber returns a number as [Canonical] has it.
func (d *decoder) canonicalNumber(raw string, n float64, integer, finite bool) *structpb.Value {
	if finite && (!integer || exact(raw, n) || bringsBack(raw, n)) {
		if n == 0 {
			n = 0 // -0
		}
		return numberValue(n)
	}
	d.lost = true
	is := decimalOf(raw)
	if abs := max(is.exp, -is.exp); abs >= maxExponent/2 {
		return stringValue(numberMark + raw) // it may be another than its exponent says
	}
	sign := ""
	if is.negative {
		sign = "-"
	}
	if finite { // an integer
		return stringValue(numberMark + sign + is.digits + strings.Repeat("0", is.exp))
	}
	return stringValue(numberMark + sign + is.digits + "e" + strconv.Itoa(is.exp))
}
