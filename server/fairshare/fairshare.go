// Package fairshare decides how much of a shared resource one caller may use. It is used
// for memory and for the records of the ledger.
package fairshare

// timesFree is the limit on a caller's share, as a multiple of what would still be free.
// A single caller can use three quarters, and two callers three sevenths each, so there
// is always room for another caller.
const timesFree = 3

// Allows reports whether a caller may use the given amount of a resource, if the given
// amount would then be free.
func Allows(its, free int64) bool { return its <= timesFree*free }
