package memory

import (
	"crypto/sha256"
	"slices"
	"strings"
)

// id is the id of a resource. That of a usual length, which a UUID has, is in the record.
type id struct {
	length uint8 // in bytes, up to [ledger.MaxIDLen]
	text   [usualID]byte
}

const usualID = 36

// longIDs are the ids that have no room in their records.
type longIDs map[longID]string

// longID is where a long id belongs: to a record, as what it created or as its parent.
type longID struct {
	of      place
	created bool
}

// keep returns an id as its record has it.
func (l *longIDs) keep(text string, as longID) (i id) {
	i.length = uint8(len(text))
	if copy(i.text[:], text) < len(text) {
		if *l == nil {
			*l = make(longIDs)
		}
		(*l)[as] = strings.Clone(text) // it is a part of a longer text, which would be kept with it
	}
	return i
}

// text returns the id that was kept.
func (l longIDs) text(i *id, as longID) string {
	if i.length > usualID {
		return l[as]
	}
	return string(i.text[:i.length])
}

// forget drops an id that was kept.
func (l longIDs) forget(i *id, as longID) {
	if i.length > usualID {
		delete(l, as)
	}
	*i = id{}
}

// name is what an id is found by: half of its SHA-256.
type name [sha256.Size / 2]byte

func nameOf(id string) name { s := sha256.Sum256([]byte(id)); return name(s[:len(name{})]) }

// methods are the names of methods that records have, which are few. A record has the
// number of one.
type methods []string

func (ms *methods) number(of string) uint16 {
	n := slices.Index(*ms, of)
	if n < 0 {
		n = len(*ms)
		*ms = append(*ms, strings.Clone(of))
	}
	return uint16(n)
}

func (ms methods) name(number uint16) string { return ms[number] }
