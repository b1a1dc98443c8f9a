// Package stack grows the stacks of goroutines in advance.
package stack

import "runtime"

// Grow makes room on the stack of the calling goroutine. A goroutine begins with less
// than a call needs, and each time that it needs more, the runtime copies all frames: early
// there are few of them.
//
//go:noinline
func Grow() {
	var room [4 << 10]byte
	runtime.KeepAlive(&room)
}
