// Package soak puts digate, in a process of its own, between a crowd of callers
// and a scripted upstream, with a bad line in between, and then compares the
// upstream's list of what was created with what every caller was told.
//
// A mix names what goes wrong. What goes wrong on which attempt of which call is
// drawn from a seed, so that the same seed gives the same script; what it meets
// there depends on timing as well. The tests of the package run every mix in a
// short form. The long form, whose table stands in docs/reliability.md, is
//
//	go test -count=1 -timeout 20m -v -run TestSoak ./test/soak -soak.calls 10000
package soak
