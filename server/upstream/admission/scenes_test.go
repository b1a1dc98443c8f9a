package admission

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// service is an upstream that serves so many exchanges at once, each for a while.
type service struct {
	mu       sync.Mutex
	capacity int
	takes    time.Duration
	beyond   Result // what the others get, and after which time
	now      int

	uneven bool // responses take half to all of the time

	begun         time.Time
	served, other []int // by the second
	most, refused int
}

// exchange is one exchange with the service.
func (s *service) exchange() Result {
	s.mu.Lock()
	second := int(time.Since(s.begun) / time.Second)
	for len(s.served) <= second {
		s.served, s.other = append(s.served, 0), append(s.other, 0)
	}
	if s.now >= s.capacity {
		s.other[second]++
		r := s.beyond
		s.mu.Unlock()
		time.Sleep(r.Took)
		return r
	}
	s.served[second]++
	s.now++
	s.most = max(s.most, s.now)
	takes := s.takes
	if s.uneven {
		takes -= time.Duration(rand.Int64N(int64(takes / 2)))
	}
	s.mu.Unlock()
	time.Sleep(takes)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	return Result{Evidence: Served, Took: takes}
}

// grow changes how many exchanges are served at once.
func (s *service) grow(capacity int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capacity = capacity
}

// crowd calls until the time is over, with so many calls at once.
func (s *service) crowd(t *testing.T, a *Admission, account string, callers int, lasting time.Duration) *sync.WaitGroup {
	wg := new(sync.WaitGroup)
	end := time.Now().Add(lasting)
	for range callers {
		wg.Go(func() {
			for time.Now().Before(end) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				ticket, err := a.Enter(ctx, Request{Account: account, Size: 100})
				if err != nil {
					s.mu.Lock()
					s.refused++
					s.mu.Unlock()
					time.Sleep(100 * time.Millisecond)
				} else {
					ticket.Leave(s.exchange())
				}
				cancel()
			}
		})
	}
	return wg
}

func sum(n []int) (total int) {
	for _, v := range n {
		total += v
	}
	return total
}

func standard() Config {
	return Config{BreakerDelay: 5 * time.Second, ProbeTimeout: time.Minute, MaxInFlight: 1000, MaxQueue: 10000, MaxQueueBytes: 64 << 20}
}

func TestScene_HealthyUpstream_GetsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	for _, callers := range []int{100, 4000} {
		for _, takes := range []time.Duration{40 * time.Millisecond, 200 * time.Millisecond} {
			t.Run(fmt.Sprintf("%d callers, %v", callers, takes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, s := New(standard()), &service{capacity: 1 << 20, takes: takes, begun: time.Now()}
					s.crowd(t, a, "a", callers, time.Second).Wait()
					want := min(callers, 1000)
					if possible := want * int(time.Second/takes); s.most != want || sum(s.served) < possible {
						t.Errorf("%d were under way at once, want %d; %d were served, of %d possible", s.most, want, sum(s.served), possible)
					}
				})
			})
		}
	}
}

func TestScene_UpstreamThatServes100_GetsHardlyMoreAndRecovers(t *testing.T) {
	t.Parallel()
	for name, beyond := range map[string]Result{
		"429":                  {Evidence: RateLimited, Took: time.Millisecond},
		"429 with Retry-After": {Evidence: RateLimited, Took: time.Millisecond, RetryAfter: time.Second},
		"503":                  {Evidence: Overloaded, Took: time.Millisecond},
		"503 with Retry-After": {Evidence: Overloaded, Took: time.Millisecond, RetryAfter: time.Second},
		"a gateway's 503":      {Evidence: NoResponse, Took: time.Millisecond},
		"no connection":        {Evidence: NoResponse, Took: 100 * time.Microsecond},
		"a timeout of 1s":      {Evidence: NoResponse, Took: time.Second},
		"a timeout of 3s":      {Evidence: NoResponse, Took: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const begin, end = 8, 16                // seconds
				const before, after = 100 * 5, 1000 * 5 // a second
				recovered := end + 7
				if beyond.Took >= time.Second {
					recovered = end + 22 // what was silent before ends later, and is evidence then
				}
				a, s := New(standard()), &service{capacity: 100, takes: 200 * time.Millisecond, beyond: beyond, begun: time.Now()}
				callers := s.crowd(t, a, "a", 1000, time.Duration(recovered+1)*time.Second)
				time.Sleep(end * time.Second)
				s.grow(1000)
				callers.Wait()
				t.Log(s.served, s.other)
				good, bad := sum(s.served[begin:end]), sum(s.other[begin:end])
				if good < before*(end-begin)*9/10 || bad*20 > good+bad {
					t.Errorf("%d were served, of %d possible, and %d were not", good, before*(end-begin), bad)
				}
				if s.served[recovered] < after*9/10 {
					t.Errorf("%d are served a second when it can do %d", s.served[recovered], after)
				}
			})
		})
	}
}

func TestScene_GreedyCaller_DelaysItselfAndNotAnother(t *testing.T) {
	t.Parallel()
	for name, beyond := range map[string]Result{
		"the bound":     {},
		"a lower limit": {Evidence: Overloaded, Took: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const takes = 20 * time.Millisecond
				cfg := standard()
				s := &service{capacity: 100, takes: takes, beyond: beyond, begun: time.Now(), uneven: true}
				if beyond.Evidence == Ignored {
					cfg.MaxInFlight, s.capacity = 100, 1000
				}
				a := New(cfg)
				greedy := s.crowd(t, a, "greedy", 1000, 15*time.Second)
				var longest time.Duration
				for i := range 12 {
					began := time.Now()
					ticket, err := a.Enter(t.Context(), Request{Account: "other"})
					if err != nil {
						t.Fatal(err)
					}
					waited := time.Since(began)
					ticket.Leave(s.exchange())
					if i > 1 {
						longest = max(longest, waited)
					}
					time.Sleep(time.Second)
				}
				if longest > takes {
					t.Errorf("the other waited %v behind the greedy one, for responses in %v", longest, takes)
				}
				greedy.Wait()
			})
		})
	}
}
