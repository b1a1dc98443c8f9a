// Package fuzz holds the parsers of what comes from outside to their fuzz tests, which are
// beside the parsers. make fuzz runs them.
package fuzz
