package admission

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
)

func TestSlots_SizeChangesAndSomeLeave_TheOthersFollowInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		size := 1
		s := &slots{size: func() int { return size }}
		if !s.tryAcquire() || s.tryAcquire() {
			t.Fatal("not one slot")
		}
		ctx, leave := context.WithCancel(t.Context())
		var order []int
		for i := range 4 {
			of := t.Context()
			if i == 1 {
				of = ctx
			}
			go func() {
				if err := s.acquire(of); err == nil {
					order = append(order, i)
				} else if i != 1 || !errors.Is(err, context.Canceled) {
					t.Errorf("%d: %v", i, err)
				}
			}()
			synctest.Wait()
		}
		leave()
		synctest.Wait()
		if len(order) != 0 || s.waiting.Len() != 3 {
			t.Errorf("%v have slots, %d wait", order, s.waiting.Len())
		}
		size = 2
		s.resized()
		synctest.Wait()
		size = 1
		s.release() // two are used, for one slot
		synctest.Wait()
		if fmt.Sprint(order) != "[0]" || s.used != 1 {
			t.Errorf("%v followed, %d are used", order, s.used)
		}
		for range 2 {
			s.release()
			synctest.Wait()
		}
		if fmt.Sprint(order) != "[0 2 3]" || s.used != 1 || s.waiting.Len() != 0 {
			t.Errorf("%v followed, %d are used, %d wait", order, s.used, s.waiting.Len())
		}
	})
}
