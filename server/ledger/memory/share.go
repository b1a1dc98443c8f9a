package memory

import "github.com/digate/digate/server/fairshare"

// callers counts the records of each caller that has any. The caller 0 is nobody, and has
// no count.
type callers struct {
	has     map[uint64]int
	refused uint64
}

// mayAdd reports whether a caller may have one more record, which leaves so much room
// free. Its first record needs no share.
func (c *callers) mayAdd(caller uint64, free int) bool {
	its := c.has[caller]
	if its == 0 || fairshare.Allows(int64(its+1), int64(free)) {
		return true
	}
	c.refused++
	return false
}

func (c *callers) add(caller uint64) {
	if caller != 0 {
		c.has[caller]++
	}
}

func (c *callers) remove(caller uint64) {
	if caller == 0 {
		return
	}
	if c.has[caller]--; c.has[caller] == 0 {
		delete(c.has, caller)
	}
}
