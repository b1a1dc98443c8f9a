package admission

import (
	"time"

	"github.com/digate/digate/server/apierror"
)

// refusal returns the error for an exchange that must not wait: it cannot begin
// within the time that it has, or there is no room.
func (a *Admission) refusal(within time.Duration, which int, lane *lane, size int64) error {
	now := time.Now()
	paused := lane.account.paused()
	var ahead time.Duration
	if lane.rest.n > 0 {
		ahead = lane.drain.wait(lane.rest.n+1, now)
	}
	if paused+ahead/sure > within {
		a.refused[byDeadline]++
		return apierror.Overloaded(paused + ahead)
	}
	if !a.makeRoom(lane, size) {
		a.refused[byQueue]++
		var all time.Duration
		if l := &a.lines[which]; l.turn.n > 0 || l.parked.n > 0 {
			all = l.drain.wait(a.queued, now)
		}
		return apierror.Overloaded(max(paused+ahead, all))
	}
	return nil
}

// refusePaused refuses the waiting exchanges of an account that cannot begin within
// the time that they have, now that the account is paused.
func (a *Admission) refusePaused(of *account) {
	now, paused := time.Now(), of.paused()
	for i := range of.lanes {
		lane := &of.lanes[i]
		for w := range lane.first.all() {
			if w.tooLate(now.Add(paused)) {
				a.refused[byDeadline]++
				a.refuse(lane, w, apierror.Overloaded(paused))
			}
		}
		place := 1
		for w := range lane.rest.all() {
			ahead := lane.drain.wait(place, now)
			if w.tooLate(now.Add(paused + ahead/sure)) {
				a.refused[byDeadline]++
				a.refuse(lane, w, apierror.Overloaded(paused+ahead))
				continue
			}
			place++
		}
	}
}

// refuseUnrecorded refuses the waiting exchanges of all accounts that were not recorded
// and whose time is over before the circuit may be probed.
func (a *Admission) refuseUnrecorded(until time.Time) {
	for i := range a.lines {
		for _, lanes := range []*list[lane]{&a.lines[i].turn, &a.lines[i].parked} {
			for lane := range lanes.all() {
				for w := range lane.rest.all() {
					if w.tooLate(until) {
						a.refused[byCircuit]++
						a.refuse(lane, w, apierror.CircuitOpen(time.Until(until)))
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

// makeRoom reports whether there is room in the queue for one more of the lane. The
// lane that has most in it gives way to one that has less.
func (a *Admission) makeRoom(lane *lane, size int64) bool {
	if a.maxQueue < 1 || size > a.maxQueueBytes {
		return false
	}
	for a.queued >= a.maxQueue || a.bytes+size > a.maxQueueBytes {
		byCount := a.queued >= a.maxQueue
		own := size
		if byCount {
			own = 1
		}
		most := a.heaviest(byCount)
		if most == nil || most == lane || most.weight(byCount) <= lane.weight(byCount)+own {
			return false
		}
		w := most.rest.last.value
		a.refused[byQueue]++
		a.refuse(most, w, apierror.Overloaded(most.drain.wait(most.rest.n, time.Now())))
	}
	return true
}

// heaviest returns the lane that has most in the queue.
func (a *Admission) heaviest(byCount bool) (most *lane) {
	for i := range a.lines {
		for _, lanes := range []*list[lane]{&a.lines[i].turn, &a.lines[i].parked} {
			for lane := range lanes.all() {
				if lane.rest.n > 0 && (most == nil || lane.weight(byCount) > most.weight(byCount)) {
					most = lane
				}
			}
		}
	}
	return most
}

// weight returns how much of the queue the lane has.
func (l *lane) weight(byCount bool) int64 {
	if byCount {
		return int64(l.rest.n)
	}
	return l.bytes
}
