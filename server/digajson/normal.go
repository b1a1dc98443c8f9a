package digajson

import (
	"bytes"
	"slices"
	"sync"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// normalForm writes the JSON of a Struct, Value or ListValue in the bytes that [Codec]
// writes for the decoded value. The members of an object may be added in any order. A nil
// normalForm writes nothing.
type normalForm struct {
	out []byte
	// members are the members of the open objects. Those of the innermost object come
	// last.
	members []member
	// moved is a buffer for sorting the members of an object.
	moved []byte
}

// member is the position of an object's member in the JSON, and the end of its key.
type member struct {
	start, keyEnd, end int
	escaped            bool // of the key
}

// maxKept is the maximum size of a buffer that is reused, in bytes.
const maxKept = 4 << 20

var normalForms = sync.Pool{New: func() any { return new(normalForm) }}

// newNormalForm returns an empty normalForm with the given capacity. The caller must
// release it.
func newNormalForm(size int) *normalForm {
	n := normalForms.Get().(*normalForm)
	n.out, n.members = slices.Grow(n.out[:0], size), n.members[:0]
	return n
}

func (n *normalForm) release() {
	if max(cap(n.out), cap(n.moved)) <= maxKept {
		normalForms.Put(n)
	}
}

func (n *normalForm) write(text string) {
	if n != nil {
		n.out = append(n.out, text...)
	}
}

// openObject begins an object. It returns the index of the object's first member.
func (n *normalForm) openObject() (first int) {
	if n == nil {
		return 0
	}
	n.out = append(n.out, '{')
	return len(n.members)
}

// beginMember begins the next member of an object. The caller then writes its key.
func (n *normalForm) beginMember(first int) {
	if n == nil {
		return
	}
	if len(n.members) > first {
		n.out = append(n.out, ',')
	}
	n.members = append(n.members, member{start: len(n.out)})
}

// endKey ends the key of the current member.
func (n *normalForm) endKey(key string) {
	if n == nil {
		return
	}
	m := &n.members[len(n.members)-1]
	m.keyEnd = len(n.out)
	m.escaped = m.keyEnd-m.start != len(key)+len(`""`)
	n.out = append(n.out, ':')
}

// closeObject ends an object and sorts its members. It reports whether their keys are
// distinct.
func (n *normalForm) closeObject(first int) (distinct bool) {
	if n == nil {
		return true
	}
	members := n.members[first:]
	distinct = true
	for i := 1; i < len(members); i++ {
		if n.compare(members[i-1], members[i]) >= 0 {
			distinct = n.sort(members)
			break
		}
	}
	n.out = append(n.out, '}')
	n.members = n.members[:first]
	return distinct
}

// compare compares the keys of two members.
func (n *normalForm) compare(a, b member) int { return bytes.Compare(n.key(a), n.key(b)) }

func (n *normalForm) key(m member) []byte {
	raw := n.out[m.start+1 : m.keyEnd-1]
	if m.escaped {
		return []byte(lex.Text{Raw: string(raw), Escaped: true}.String())
	}
	return raw
}

// sort sorts the members, which are at the end of the JSON.
func (n *normalForm) sort(members []member) (distinct bool) {
	from := members[0].start
	for i := range members[1:] {
		members[i].end = members[i+1].start - len(",")
	}
	members[len(members)-1].end = len(n.out)
	slices.SortFunc(members, n.compare)
	n.moved = n.moved[:0]
	for i, m := range members {
		if i > 0 {
			if n.compare(members[i-1], m) == 0 {
				return false
			}
			n.moved = append(n.moved, ',')
		}
		n.moved = append(n.moved, n.out[m.start:m.end]...)
	}
	copy(n.out[from:], n.moved)
	return true
}
