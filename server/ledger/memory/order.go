package memory

// order is a list of records. A record is in one order at a time, and has the links
// itself, so that it can move without anything being allocated.
type order struct {
	first, last place
	count       int
}

// Len returns how many records are in the order.
func (o *order) Len() int { return o.count }

// add puts a record, which is in no order, behind all others.
func (o *order) add(ps *places, r *record) {
	r.prev, r.next = o.last, 0
	if o.last == 0 {
		o.first = r.place
	} else {
		ps.at(o.last).next = r.place
	}
	o.last = r.place
	o.count++
}

// remove takes a record of this order out of it.
func (o *order) remove(ps *places, r *record) {
	if r.prev == 0 {
		o.first = r.next
	} else {
		ps.at(r.prev).next = r.next
	}
	if r.next == 0 {
		o.last = r.prev
	} else {
		ps.at(r.next).prev = r.prev
	}
	r.prev, r.next = 0, 0
	o.count--
}
