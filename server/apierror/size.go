package apierror

import (
	"fmt"
	"unicode/utf8"
)

// A status travels in trailers, which clients cap at 8 KiB: its message twice,
// percent-encoded in grpc-message and within the details, and the details in
// base64. Both together stay under 6 KiB: the two budgets here, and less than
// 500 bytes for ErrorInfo, RetryInfo and the type names. Costs are counted in
// thirds of an encoded byte, so that they add up without rounding.
const (
	// MaxStatusBytes is what a status takes at most, and MinStatusBytes the
	// smallest bound that [Error.Within] takes.
	MaxStatusBytes = 6144
	MinStatusBytes = 1536

	messageBudget    = 3 * 2304
	violationsBudget = 3 * 3072
	// fixedBytes is for all but message and violations.
	fixedBytes = MaxStatusBytes - 2304 - 3072
	// fieldLimit and descriptionLimit, in bytes, let several violations fit.
	fieldLimit       = 256
	descriptionLimit = 512

	// cutMark ends a text that was cut.
	cutMark = "… [cut]"
)

// fit cleans and cuts what would not fit into a status, and marks what it cut.
// Fitting twice changes nothing more.
func (e *Error) fit() { e.fitMore(0) }

// fitMore is fit where more violations than there are were left out already.
func (e *Error) fitMore(more int) {
	e.Message = cut(clean(e.Message), messageBudget, messageCost)
	e.Violations = fitViolations(e.Violations, more)
}

// Within returns the error with its message and violations cut so that its
// status takes no more than that many bytes as encoded on the wire; e itself
// where it does already. The bound is at least [MinStatusBytes].
func (e *Error) Within(bytes int) *Error {
	bytes = max(bytes, MinStatusBytes) - fixedBytes
	message := bytes * 3 * 3 / 7
	violations := bytes*3 - message
	spent := 0
	for _, v := range e.Violations {
		spent += violationCost(v)
	}
	if messageCost(e.Message) <= message && spent <= violations {
		return e
	}
	c := e.copy()
	c.Message = cut(e.Message, message, messageCost)
	c.Violations = fitWithin(e.Violations, 0, violations)
	return c
}

func fitViolations(violations []Violation, more int) []Violation {
	return fitWithin(violations, more, violationsBudget)
}

func fitWithin(violations []Violation, more, budget int) []Violation {
	if len(violations) == 0 {
		return nil
	}
	var (
		fitted []Violation
		spent  int
		kept   int // how many may stay if a note has to follow
	)
	for _, v := range violations {
		v.Field = cut(clean(v.Field), fieldLimit, byteCost)
		v.Description = cut(clean(v.Description), descriptionLimit, byteCost)
		if !fitsReason(v.Reason) {
			v.Reason = ""
		}
		spent += violationCost(v)
		if spent > budget {
			break
		}
		fitted = append(fitted, v)
		if spent+violationCost(leftOut(len(violations)+more)) <= budget {
			kept = len(fitted)
		}
	}
	if len(fitted) == len(violations) && more == 0 {
		return fitted
	}
	return append(fitted[:kept], leftOut(len(violations)+more-kept))
}

// leftOut is the last violation where n others were cut.
func leftOut(n int) Violation {
	return Violation{Description: fmt.Sprintf("%d more %s", n, cutMark)}
}

// cut shortens s, between two characters, until its cost is within limit,
// together with the mark that it then ends with.
func cut(s string, limit int, cost func(string) int) string {
	if cost(s) <= limit {
		return s
	}
	limit -= cost(cutMark)
	for i, r := range s {
		if limit -= cost(s[i : i+utf8.RuneLen(r)]); limit < 0 {
			return s[:i] + cutMark
		}
	}
	return s
}

func byteCost(s string) int { return len(s) }

// messageCost is what a message takes on the wire, in thirds of a byte.
func messageCost(s string) int { return 3*percentLen(s) + 4*len(s) }

// percentLen is the length of s as a grpc-message: all but printable ASCII
// takes three characters a byte, and so does the percent sign.
func percentLen(s string) int {
	n := len(s)
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '%' {
			n += 2
		}
	}
	return n
}

// violationCost is what a violation takes on the wire, in thirds of a byte, its
// tags and lengths included.
func violationCost(v Violation) int {
	return 4 * (len(v.Field) + len(v.Description) + len(v.Reason) + 12)
}
