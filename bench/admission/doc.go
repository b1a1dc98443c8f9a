// Package admission measures how digate lets calls through to Diga: to a Diga that
// serves everything, to one that serves a hundred requests at once, beside a greedy
// caller, and with a queue full of large requests. A direct net/http client makes
// the same calls in the same run, for comparison.
//
// The tests of the package run each scene in a short form. The figures of
// docs/admission.md come from `make bench-admission`.
package admission
