package streams

import (
	"container/list"
	"context"
	"net"
	"sync"

	"github.com/digate/digate/server/peers"
)

// class is a class of streams with a bound of its own, for all together and for
// each of those who open them.
type class struct {
	gate        *Gate
	limit, each int

	mu   sync.Mutex
	open int
	// refused counts the streams that were refused.
	refused uint64
	by      map[opener]int
	// ending are the streams that may end for others, of *ending, the oldest first. It
	// is nil for a class whose streams do not.
	ending map[opener]*list.List
	next   uint64 // the number of the next stream that may end
}

// ending is an open stream that may end for another.
type ending struct {
	number  uint64 // the smaller, the older
	weight  int
	cancel  context.CancelFunc
	element *list.Element // nil once it ended for another
}

// enter is [Gate.Enter] for a class. The end that it returns ends the stream that
// made room; it is nil for none.
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

// append adds a stream of the opener to those that may end.
func (c *class) append(o opener, e *ending) *ending {
	its := c.ending[o]
	if its == nil {
		its = list.New()
		c.ending[o] = its
	}
	e.element = its.PushBack(e)
	return e
}

// remove takes a stream of the opener from those that may end.
func (c *class) remove(o opener, e *ending) {
	its := c.ending[o]
	its.Remove(e.element)
	e.element = nil
	if its.Len() == 0 {
		delete(c.ending, o)
	}
}

// makeRoom takes the slot of an older stream if n more are too many: of the oldest of
// this opener, if it has its share, or else of the oldest of the opener with the most. It
// returns the function that ends that stream, nil if none has to end, or if the connection
// is shown no more courtesies.
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

// greediest returns the opener with the most streams that may end. Of two, it is the
// one that has the oldest.
func (c *class) greediest() (greediest opener) {
	var most *list.List
	for o, its := range c.ending {
		if most == nil || its.Len() > most.Len() || its.Len() == most.Len() && oldest(its).number < oldest(most).number {
			greediest, most = o, its
		}
	}
	return greediest
}

// oldest returns the first of a list of streams, which is not empty.
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

// free takes n streams of the opener from the counts.
func (c *class) free(o opener, n int) {
	c.gate.all.Add(int64(-n))
	c.open -= n
	if c.by[o] -= n; c.by[o] == 0 {
		delete(c.by, o)
	}
}
