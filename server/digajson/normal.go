package digajson

import (
	"bytes"
	"slices"
	"sync"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// normalForm is the JSON of a Struct, Value or ListValue that is being written without
// one, in the bytes that an encoder would write. The keys of an object may come in any
// order. A nil normalForm writes nothing.
type normalForm struct {
	out []byte
	// members are those of the objects that are open, the innermost object's last.
	members []member
	// moved is room for the members of an object.
	moved []byte
}

// member is where a member of an object is in the JSON, and where its key ends.
type member struct {
	start, keyEnd, end int
	escaped            bool // the key is
}

// maxKept is how large a buffer may be that is kept for another text, in bytes.
const maxKept = 4 << 20

var normalForms = sync.Pool{New: func() any { return new(normalForm) }}

// newNormalForm returns an empty one with room for a text of that size. The caller
// releases it.
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

// beginMember makes room for the next member of an object, whose key is written then.
func (n *normalForm) beginMember(first int) {
	if n == nil {
		return
	}
	if len(n.members) > first {
		n.out = append(n.out, ',')
	}
	n.members = append(n.members, member{start: len(n.out)})
}

// endKey ends the key of the member that was begun.
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

// sort sorts the members, which come last in the JSON.
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
