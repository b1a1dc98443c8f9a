package digajson

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
)

// Canonical returns the value of a JSON text in a form that is the same for all spellings
// of the value: a Value if doubles can represent all of its numbers, and otherwise JSON.
// An integer must be represented exactly. A decimal becomes the nearest double. Both
// results are unset for a text that [CheckVerbatim] refuses.
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

// numberMark begins a string that represents a number which no double holds. It is not
// valid UTF-8, so no other string begins with it.
const numberMark = "\xff"

// canonicalNumber returns a number in the form of [Canonical].
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
		return stringValue(numberMark + raw) // the exponent may have been cut, so the number may be another
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
