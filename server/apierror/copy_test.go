package apierror

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/exchange"
)

// whole returns an error in which every field is set.
func whole(message string, violations ...Violation) *Error {
	return &Error{
		Code: codes.Aborted, Reason: "A_REASON", Domain: DomainDigate, Outcome: exchange.Done, Message: message, HTTPStatus: 409,
		Violations: violations, IntegrationIDs: []string{"a", "b"}, ToolIDs: []string{"c"}, RetryAfter: new(time.Minute),
		cause: errors.New("cause"), relayable: true, invited: true,
	}
}

func TestError_Copies_DifferInWhatTheyNameAlone(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 8<<10)
	some := []Violation{{Field: "f", Description: "must be", Reason: "VALUE_ERROR"}}
	// Each gets an error as it was, and returns the copy.
	for name, change := range map[string]struct {
		of                  *Error
		copy                func(*Error) *Error
		message, violations bool // may differ
	}{
		"WithMessage":            {whole("m", some...), func(e *Error) *Error { return e.WithMessage("other") }, true, false},
		"WithViolations":         {whole("m", some...), func(e *Error) *Error { return e.WithViolations(Violation{Field: "g"}) }, false, true},
		"Within, of a message":   {whole(long, some...), func(e *Error) *Error { return e.Within(MinStatusBytes) }, true, false},
		"Within, of violations":  {whole("m", slices.Repeat(some, 100)...), func(e *Error) *Error { return e.Within(MinStatusBytes) }, false, true},
		"Within, of both":        {whole(long, slices.Repeat(some, 100)...), func(e *Error) *Error { return e.Within(MinStatusBytes) }, true, true},
		"Within, of a field cut": {whole("m", Violation{Field: long}), func(e *Error) *Error { return e.Within(MinStatusBytes) }, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := whole(change.of.Message, slices.Clone(change.of.Violations)...)
			before.GRPCStatus() // built once: a copy must not show it
			got := change.copy(before)
			if got == before {
				t.Fatal("no copy was made")
			}
			if !reflect.DeepEqual(change.of.Violations, before.Violations) || change.of.Message != before.Message {
				t.Error("the error was changed itself")
			}
			if got.status.Load() != nil {
				t.Error("the copy has the status of the error that it was made of")
			}
			g, w := reflect.ValueOf(got).Elem(), reflect.ValueOf(before).Elem()
			for i := range g.NumField() {
				field := g.Type().Field(i).Name
				if w.Field(i).IsZero() {
					t.Errorf("whole sets no %s", field)
				}
				may := field == "Message" && change.message || field == "Violations" && change.violations
				switch same := reflect.DeepEqual(readable(g.Field(i)), readable(w.Field(i))); {
				case field == "status":
				case may && same:
					t.Errorf("%s is the same", field)
				case !may && !same:
					t.Errorf("%s is another one", field)
				}
			}
		})
	}
}

func TestWithMessage_TextThatDoesNotFit_IsCleanedAndCut(t *testing.T) {
	t.Parallel()
	got := whole("m").WithMessage("a\nb" + strings.Repeat("x", 8<<10)).Message
	if !strings.HasPrefix(got, "a bx") || !strings.HasSuffix(got, cutMark) {
		t.Errorf("got %q … %q, of %d bytes", got[:4], got[len(got)-8:], len(got))
	}
}

func TestWithin_LessThanTheSmallestBound_IsTheSmallestBound(t *testing.T) {
	t.Parallel()
	e := whole(strings.Repeat("x", 8<<10), slices.Repeat([]Violation{{Field: "f", Description: "must be"}}, 100)...)
	want := e.Within(MinStatusBytes)
	for _, bytes := range []int{0, -1, MinStatusBytes - 1} {
		if got := e.Within(bytes); got.Message != want.Message || !reflect.DeepEqual(got.Violations, want.Violations) {
			t.Errorf("%d: %d bytes of message and %d violations, want %d and %d",
				bytes, len(got.Message), len(got.Violations), len(want.Message), len(want.Violations))
		}
	}
}

// readable returns the value of a field, unexported ones included.
func readable(v reflect.Value) any {
	return reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem().Interface()
}
