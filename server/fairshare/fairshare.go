// Package fairshare divides what callers share: memory, or the records of the ledger.
package fairshare

// timesFree is how many times what is free a caller may have. So one alone has three
// quarters at most, two have three sevenths each, and there always is room for another.
const timesFree = 3

// Allows reports whether a caller may have so much of something shared, if so much of it
// is then free.
func Allows(its, free int64) bool { return its <= timesFree*free }
