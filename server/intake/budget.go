package intake

import "sync/atomic"

// What a message takes in memory once it is decoded, in bytes, at most: twice its
// own bytes, and for each value that it holds.
const (
	memoryPerByte  = 2
	memoryPerValue = 450
)

// smallMessage is the size in bytes below which a message is not worth counting.
const smallMessage = 1 << 10

// budget bounds the memory of the messages that are decoded and not done with.
type budget struct {
	limit int64
	taken atomic.Int64
}

// take returns how much of the budget a message takes, and whether it was there.
// A message that is larger than the budget takes all of it.
func (b *budget) take(size, values int) (amount int64, ok bool) {
	if size <= smallMessage {
		return 0, true
	}
	amount = min(int64(size)*memoryPerByte+int64(values)*memoryPerValue, b.limit)
	if b.taken.Add(amount) > b.limit {
		b.taken.Add(-amount)
		return 0, false
	}
	return amount, true
}

func (b *budget) giveBack(amount int64) {
	if amount != 0 {
		b.taken.Add(-amount)
	}
}
