package digajson

import (
	"slices"
	"strings"
	"sync"
)

// normalForm is the JSON of a Struct, Value or ListValue that is being written without
// one, in the bytes that an encoder would write. The keys of an object may come in any
// order.
type normalForm struct {
	out []byte
	// members are those of the objects that are open, the innermost object's last.
	members []member
	// moved is room for the members of an object.
	moved []byte
}

// member is where the key and value of an object's member are in the JSON.
type member struct {
	key        string
	start, end int
}

// maxKept is how large a buffer may be that is kept for another text, in bytes.
const maxKept = 4 << 20

var normalForms = sync.Pool{New: func() any { return new(normalForm) }}

// newNormalForm returns an empty one, which the caller releases.
func newNormalForm() *normalForm { return normalForms.Get().(*normalForm) }

func (n *normalForm) release() {
	clear(n.members) // of an object that was not closed
	n.members, n.out = n.members[:0], n.out[:0]
	if max(cap(n.out), cap(n.moved)) <= maxKept {
		normalForms.Put(n)
	}
}

// openObject begins an object. It returns the index of the object's first member.
func (n *normalForm) openObject() (first int) {
	n.out = append(n.out, '{')
	return len(n.members)
}

// beginMember makes room for the next member of an object, whose key is appended then.
func (n *normalForm) beginMember(first int) {
	if len(n.members) > first {
		n.out = append(n.out, ',')
	}
	n.members = append(n.members, member{start: len(n.out)})
}

// name tells what the key of the member that was begun means.
func (n *normalForm) name(key string) {
	n.members[len(n.members)-1].key = key
	n.out = append(n.out, ':')
}

// closeObject ends an object and sorts its members. It reports whether their keys are
// distinct.
func (n *normalForm) closeObject(first int) bool {
	members := n.members[first:]
	sorted := true
	for i := 1; i < len(members) && sorted; i++ {
		sorted = members[i-1].key < members[i].key
	}
	distinct := sorted || n.sort(members)
	n.out = append(n.out, '}')
	clear(members)
	n.members = n.members[:first]
	return distinct
}

// sort sorts the members that come last in the JSON.
func (n *normalForm) sort(members []member) (distinct bool) {
	for i := range members[1:] {
		members[i].end = members[i+1].start - len(",")
	}
	members[len(members)-1].end = len(n.out)
	from := members[0].start
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	n.moved = n.moved[:0]
	for i, m := range members {
		if i > 0 {
			if m.key == members[i-1].key {
				return false
			}
			n.moved = append(n.moved, ',')
		}
		n.moved = append(n.moved, n.out[m.start:m.end]...)
	}
	copy(n.out[from:], n.moved)
	return true
}
