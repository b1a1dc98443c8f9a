package crash

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/digate/digate/test/rig"
)

// item is one copy of the job.
type item struct{ name, id, template string }

// templates is the number of templates. It is small, so that one integration can be
// a candidate of several doubts.
const templates = 3

func job(n int, prefix string) []item {
	all := make([]item, n)
	for i := range all {
		all[i] = item{
			name: fmt.Sprintf("item-%06d", i), id: fmt.Sprintf("%s-%06d", prefix, i),
			template: fmt.Sprintf("00000000-0000-4000-8000-%012x", i%templates),
		}
	}
	return all
}

// chance returns the random numbers of a part of a scene.
func chance(scene, part string) *rand.Rand {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, scene, "/", part)
	return rand.New(rand.NewPCG(*seed, h.Sum64()))
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least+1)))
}

// script returns the upstream's script for a scene. Responses take long, so that
// most kills find copies under way. Copies are made early, or late, or late and only
// if the caller still waits: a kill leaves some made and some not.
func script(scene string) func(rig.Request) rig.Behaviour {
	return func(req rig.Request) rig.Behaviour {
		r := chance(scene, fmt.Sprint(req.Name, "#", req.Earlier))
		took := between(r, 20*time.Millisecond, 400*time.Millisecond)
		switch at := r.IntN(100); {
		case at < 2:
			return rig.Behaviour{Fail: rig.Failure(http.StatusInternalServerError, "INTERNAL_SERVER_ERROR")}
		case at < 4:
			return rig.Behaviour{Refuse: rig.Failure(http.StatusInternalServerError, "INTERNAL_SERVER_ERROR")}
		case at < 8:
			return rig.Behaviour{Refuse: rig.Failure(http.StatusTooManyRequests, "RATE_LIMITED")}
		case at < 40:
			return rig.Behaviour{After: took}
		case at < 60:
			return rig.Behaviour{Before: took}
		default:
			return rig.Behaviour{Before: took, Attentive: true}
		}
	}
}
