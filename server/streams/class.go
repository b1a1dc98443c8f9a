package streams

import (
	"container/list"
	"context"
	"net"
	"sync"

	"github.com/digate/digate/server/peers"
)

// class is a class of streams with limits of its own: for all streams together, and for
// each opener.
type class struct {
	gate        *Gate
	limit, each int

	mu   sync.Mutex
	open int
	// refused counts the refused streams.
	refused uint64
	by      map[opener]int
	// ending are the streams that may be ended for others, of *ending, the oldest first.
	// It is nil for a class whose streams are never ended.
	ending map[opener]*list.List
	next   uint64 // the number of the next stream that may be ended
}

// ending is an open stream that may be ended for another.
type ending struct {
	number  uint64 // the smaller, the older
	weight  int
	cancel  context.CancelFunc
	element *list.Element // nil once it was ended for another
}

// enter is [Gate.Enter] for a class. end, if not nil, ends the stream that made room.
func (c *class) enter(o opener, n int, peer net.Addr, cancel context.CancelFunc) (_ Slot, end context.CancelFunc, ok bool) {
	mayEnd := c.ending != nil && cancel != nil
	c.mu.Lock()
	defer c.mu.Unlock()
	if mayEnd {
		end = c.makeRoom(o, n, peer)
	}
	if c.open+n > c.limit || c.by[o]+n > c.each || !c.gate.take(n) {
		c.refused++
		return Slot{}, end, false
	}
	c.open += n
	c.by[o] += n
	slot := Slot{class: c, opener: o, weight: n}
	if mayEnd {
		slot.ending = c.append(o, &ending{number: c.next, weight: n, cancel: cancel})
		c.next++
	}
	return slot, end, true
}

// append adds a stream of the opener to those that may be ended.
func (c *class) append(o opener, e *ending) *ending {
	its := c.ending[o]
	if its == nil {
		its = list.New()
		c.ending[o] = its
	}
	e.element = its.PushBack(e)
	return e
}

// remove removes a stream of the opener from those that may be ended.
func (c *class) remove(o opener, e *ending) {
	its := c.ending[o]
	its.Remove(e.element)
	e.element = nil
	if its.Len() == 0 {
		delete(c.ending, o)
	}
}

// makeRoom frees the slot of an older stream if n more are too many: of this opener's
// oldest if the opener has used its share, and otherwise of the oldest of the opener with
// the most streams. It returns the function that ends that stream. It returns nil if none
// must end, or if the connection may not end others now.
func (c *class) makeRoom(o opener, n int, peer net.Addr) context.CancelFunc {
	from := o
	if c.by[o]+n <= c.each {
		if c.open+n <= c.limit {
			return nil
		}
		from = c.greediest()
	}
	its := c.ending[from]
	if its == nil || !peers.Courtesy(peer) {
		return nil
	}
	old := oldest(its)
	c.remove(from, old)
	c.free(from, old.weight)
	return old.cancel
}

// greediest returns the opener with the most streams that may be ended. Of two, it
// returns the one with the oldest stream.
func (c *class) greediest() (greediest opener) {
	var most *list.List
	for o, its := range c.ending {
		if most == nil || its.Len() > most.Len() || its.Len() == most.Len() && oldest(its).number < oldest(most).number {
			greediest, most = o, its
		}
	}
	return greediest
}

// oldest returns the first of a non-empty list of streams.
func oldest(its *list.List) *ending { return its.Front().Value.(*ending) }

func (c *class) leave(s Slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := s.ending; e != nil {
		if e.element == nil {
			return // it made room, and another stream has its slot
		}
		c.remove(s.opener, e)
	}
	c.free(s.opener, s.weight)
}

// free removes n streams of the opener from the counts.
func (c *class) free(o opener, n int) {
	c.gate.all.Add(int64(-n))
	c.open -= n
	if c.by[o] -= n; c.by[o] == 0 {
		delete(c.by, o)
	}
}
