// Package soak runs digate as a process between a crowd of callers and a scripted
// upstream behind a bad line. Then it compares the upstream's list of copies with
// the response that every caller got.
//
// A mix is a set of faults. A seed decides which attempt of which call meets which
// fault, so the same seed gives the same script; timing decides the rest. The tests
// of the package run every mix in a short form. The long form also asks for a share of
// every fault and verdict, and prints the table of docs/reliability.md:
//
//	go test -count=1 -timeout 20m -v -run TestSoak ./test/soak -soak.calls 10000
package soak
