package admission

import (
	"time"

	"github.com/digate/digate/server/apierror"
)

// refusal returns the error of an exchange that must not wait, because it cannot begin in
// time or the queue is full. It returns nil if the exchange may wait.
func (a *Admission) refusal(within time.Duration, which int, lane *lane, of *flow, size int64) error {
	now := time.Now()
	paused := lane.account.paused()
	var ahead time.Duration
	if of.rest.n > 0 {
		ahead = of.drain.wait(of.rest.n+1, now)
	}
	if paused+ahead/sure > within {
		a.refused[byDeadline]++
		return apierror.Overloaded(paused + ahead)
	}
	if !a.makeRoom(lane, of, size) {
		a.refused[byQueue]++
		var all time.Duration
		if l := &a.lines[which]; l.turn.n > 0 || l.parked.n > 0 {
			all = l.drain.wait(a.queued, now)
		}
		return apierror.Overloaded(max(paused+ahead, all))
	}
	return nil
}

// refusePaused refuses the waiting exchanges of a newly paused account that could not
// begin in time after the pause.
func (a *Admission) refusePaused(of *account) {
	now, paused := time.Now(), of.paused()
	for i := range of.lanes {
		lane := &of.lanes[i]
		for f := range lane.callers.turn.all() {
			for w := range f.first.all() {
				if w.tooLate(now.Add(paused)) {
					a.refused[byDeadline]++
					a.refuse(lane, w, apierror.Overloaded(paused))
				}
			}
			place := 1
			for w := range f.rest.all() {
				ahead := f.drain.wait(place, now)
				if w.tooLate(now.Add(paused + ahead/sure)) {
					a.refused[byDeadline]++
					a.refuse(lane, w, apierror.Overloaded(paused+ahead))
					continue
				}
				place++
			}
		}
	}
}

// refuseUnrecorded refuses the waiting exchanges of all accounts that are not recorded
// and whose deadline is before the circuit may be probed.
func (a *Admission) refuseUnrecorded(until time.Time) {
	for i := range a.lines {
		for _, lanes := range []*list[lane]{&a.lines[i].turn, &a.lines[i].parked} {
			for lane := range lanes.all() {
				for f := range lane.callers.turn.all() {
					for w := range f.rest.all() {
						if w.tooLate(until) {
							a.refused[byCircuit]++
							a.refuse(lane, w, apierror.CircuitOpen(time.Until(until)))
						}
					}
				}
			}
		}
	}
}

// refuse ends the wait of an exchange with an error.
func (a *Admission) refuse(lane *lane, w *waiter, err error) {
	w.err = err
	a.leave(lane, w)
	close(w.ready)
}

// makeRoom reports whether the queue has room for another exchange of a caller in the
// lane. If the queue is full, the account with the most waiting exchanges loses one to an
// account with fewer. Within an account, the same holds for its callers.
func (a *Admission) makeRoom(lane *lane, of *flow, size int64) bool {
	if a.maxQueue < 1 || size > a.maxQueueBytes {
		return false
	}
	for a.queued >= a.maxQueue || a.bytes+size > a.maxQueueBytes {
		by, own := inBytes, size
		if a.queued >= a.maxQueue {
			by, own = inCalls, 1
		}
		var its *flow // the flow that loses its last exchange
		greedy := a.heaviest(by)
		if greedy != nil && greedy.callers.weight[by] > lane.callers.weight[by]+own {
			its = greedy.callers.heaviest(by)
		} else {
			greedy, its = lane, lane.callers.heaviest(by)
			if its == nil || its.weight[by] <= of.weight[by]+own {
				return false
			}
		}
		a.refused[byQueue]++
		a.refuse(greedy, its.rest.last.value, apierror.Overloaded(its.drain.wait(its.rest.n, time.Now())))
	}
	return true
}

// heaviest returns the lane with the most weight in the queue, or nil if the queue is
// empty.
func (a *Admission) heaviest(by int) (most *lane) {
	for i := range a.lines {
		for _, lanes := range []*list[lane]{&a.lines[i].turn, &a.lines[i].parked} {
			for lane := range lanes.all() {
				if lane.callers.weight[inCalls] > 0 && (most == nil || lane.callers.weight[by] > most.callers.weight[by]) {
					most = lane
				}
			}
		}
	}
	return most
}
