package apierror

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A status is sent in trailers, which clients limit to 8 KiB: the message twice,
// percent-encoded in grpc-message and within the details, and the details in base64.
// Together they stay below 6 KiB: the two limits here, and less than 500 bytes for
// ErrorInfo, RetryInfo and the type names. Sizes are counted in thirds of an encoded
// byte, so that they add up without rounding.
const (
	// MaxStatusBytes is the maximum size of every status. MinStatusBytes is the smallest
	// limit that [Error.Within] accepts.
	MaxStatusBytes = 6144
	MinStatusBytes = 1536

	messageBudget    = 3 * 2304
	violationsBudget = 3 * 3072
	// fixedBytes is reserved for everything except message and violations.
	fixedBytes = MaxStatusBytes - 2304 - 3072
	// fieldLimit and descriptionLimit, in bytes, make room for several violations.
	fieldLimit       = 256
	descriptionLimit = 512

	// idsLimit is the maximum size of the ids in a status, in bytes: ten UUIDs, or one of
	// the longest ids that a ledger stores.
	idsLimit = 400

	// cutMark ends a cut text.
	cutMark = "… [cut]"
)

// fit cleans the message and violations, cuts them so that they fit into a status, and
// marks what it cut. It is idempotent.
func (e *Error) fit() { e.fitMore(0) }

// fitMore is fit for an error from which more violations were already removed.
func (e *Error) fitMore(more int) {
	e.Message = cut(clean(e.Message), messageBudget, messageCost)
	e.Violations = fitViolations(e.Violations, more)
}

// Within returns the error with its message and violations cut so that its encoded status
// is no larger than the given number of bytes, or e itself if it fits. The smallest limit
// is [MinStatusBytes].
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

// fitIDs returns the first ids that fit into a status, at most [MaxIDs]. It skips ids
// with a comma, because the list is separated by commas.
func fitIDs(ids []string) (fitted []string) {
	room := idsLimit
	for _, id := range ids {
		if id == "" || strings.Contains(id, ",") {
			continue
		}
		if room -= len(id) + 1; room < 0 || len(fitted) == MaxIDs {
			break
		}
		fitted = append(fitted, id)
	}
	return fitted
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
		kept   int // how many fit together with a note about the rest
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

// leftOut returns a violation which says that n others were cut.
func leftOut(n int) Violation {
	return Violation{Description: fmt.Sprintf("%d more %s", n, cutMark)}
}

// cut shortens s at a character boundary and adds cutMark, so that its cost is within
// limit.
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

// messageCost returns the encoded size of a message, in thirds of a byte.
func messageCost(s string) int { return 3*percentLen(s) + 4*len(s) }

// percentLen returns the length of s as a grpc-message: a percent sign and each byte that
// is not printable ASCII become three characters.
func percentLen(s string) int {
	n := len(s)
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '%' {
			n += 2
		}
	}
	return n
}

// violationCost returns the encoded size of a violation, in thirds of a byte, including
// tags and lengths.
func violationCost(v Violation) int {
	return 4 * (len(v.Field) + len(v.Description) + len(v.Reason) + 12)
}
