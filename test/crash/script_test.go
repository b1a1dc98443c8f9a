package crash

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"time"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/test/rig"
)

// item is one call of the job that creates something.
type item struct {
	method   digatev1.Method
	name, id string
	// parent is the id of a copy's template or of a tool's integration.
	parent string
}

// key names an item: each method has request ids of its own.
type key struct {
	method digatev1.Method
	id     string
}

func (it item) key() key { return key{it.method, it.id} }

// isCopy reports whether the item is a copy, which can be made in bulk.
func (it item) isCopy() bool { return it.method == digatev1.Method_METHOD_COPY_TEMPLATE }

// isMarked reports whether --settle-doubts=mark marks the item.
func (it item) isMarked() bool { return it.method != digatev1.Method_METHOD_CREATE_TOOL }

// methods are those of the items, in turns: a third of them are creates.
var methods = []digatev1.Method{
	digatev1.Method_METHOD_COPY_TEMPLATE, digatev1.Method_METHOD_COPY_TEMPLATE, digatev1.Method_METHOD_CREATE_INTEGRATION,
	digatev1.Method_METHOD_COPY_TEMPLATE, digatev1.Method_METHOD_COPY_TEMPLATE, digatev1.Method_METHOD_CREATE_TOOL,
}

// parents is the number of templates, and of integrations with tools. It is small,
// so that one integration or tool can be a candidate of several doubts.
const parents = 3

// job returns the items of a scene. A create has the request id of a copy.
func job(n int, prefix string) []item {
	all := make([]item, n)
	for i := range all {
		it := item{
			method: methods[i%len(methods)], name: fmt.Sprintf("item-%06d", i), id: fmt.Sprintf("%s-%06d", prefix, i),
			parent: fmt.Sprintf("00000000-0000-4000-8000-%012x", i/len(methods)%parents),
		}
		if !it.isCopy() {
			it.id = fmt.Sprintf("%s-%06d", prefix, i-i%len(methods))
		}
		all[i] = it
	}
	return all
}

// byKind returns the copies and the creates among the items.
func byKind(all []item) (copies, creates []item) {
	for _, it := range all {
		if it.isCopy() {
			copies = append(copies, it)
		} else {
			creates = append(creates, it)
		}
	}
	return copies, creates
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
// most kills find calls under way. What is asked for is created early, or late, or
// late and only if the caller still waits: a kill leaves some made and some not.
func script(scene string) func(rig.Request) rig.Behaviour {
	return func(req rig.Request) rig.Behaviour {
		if req.Kind == rig.Rename {
			return rename(chance(scene, fmt.Sprint(req.Name, "#rename", req.Earlier)), req.Earlier == 0)
		}
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

// rename returns how a request that renames an integration is handled. The first one
// for a name may fail.
func rename(r *rand.Rand, first bool) rig.Behaviour {
	took := between(r, 2*time.Millisecond, 100*time.Millisecond)
	failed := rig.Failure(http.StatusInternalServerError, "INTERNAL_SERVER_ERROR")
	switch at := r.IntN(100); {
	case at < 10 && first:
		return rig.Behaviour{Fail: failed}
	case at < 20 && first:
		return rig.Behaviour{Refuse: failed}
	case at < 60:
		return rig.Behaviour{After: took}
	default:
		return rig.Behaviour{Before: took, Attentive: true}
	}
}
