package memory

// order is a list of records. A record is in one order at a time, and has the links
// itself, so that it can move without anything being allocated.
type order struct {
	first, last *record
	count       int
}

// Len returns how many records are in the order.
func (o *order) Len() int { return o.count }

// add puts a record, which is in no order, behind all others.
func (o *order) add(r *record) {
	r.prev, r.next = o.last, nil
	if o.last == nil {
		o.first = r
	} else {
		o.last.next = r
	}
	o.last = r
	o.count++
}

// remove takes a record of this order out of it.
func (o *order) remove(r *record) {
	if r.prev == nil {
		o.first = r.next
	} else {
		r.prev.next = r.next
	}
	if r.next == nil {
		o.last = r.prev
	} else {
		r.next.prev = r.prev
	}
	r.prev, r.next = nil, nil
	o.count--
}
