//go:build race

package rig

// Race reports whether the race detector is on.
const Race = true
