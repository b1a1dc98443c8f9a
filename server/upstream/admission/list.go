package admission

import "iter"

// list is an ordered list of values. A value has a link for each list that it may be in,
// so that moving it needs no search and no allocation.
type list[T any] struct {
	first, last *link[T]
	n           int
}

// link is the place of a value in a list.
type link[T any] struct {
	value      *T       // set by push
	list       *list[T] // nil while the value is in no list
	prev, next *link[T]
}

// push appends a value, whose link must not be in a list.
func (l *list[T]) push(value *T, k *link[T]) {
	k.value, k.list, k.prev = value, l, l.last
	if l.last != nil {
		l.last.next = k
	} else {
		l.first = k
	}
	l.last = k
	l.n++
}

// head returns the first value, or nil if the list is empty.
func (l *list[T]) head() *T {
	if l.first == nil {
		return nil
	}
	return l.first.value
}

// all returns the values in order. The current value may be removed during the iteration.
func (l *list[T]) all() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for k := l.first; k != nil; {
			next := k.next
			if !yield(k.value) {
				return
			}
			k = next
		}
	}
}

// in reports whether the value is in a list.
func (k *link[T]) in() bool { return k.list != nil }

// remove removes the value from its list.
func (k *link[T]) remove() {
	l := k.list
	if k.prev != nil {
		k.prev.next = k.next
	} else {
		l.first = k.next
	}
	if k.next != nil {
		k.next.prev = k.prev
	} else {
		l.last = k.prev
	}
	k.list, k.prev, k.next = nil, nil, nil
	l.n--
}
