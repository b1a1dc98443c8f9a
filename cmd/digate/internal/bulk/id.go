package bulk

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/google/uuid"
)

// rowIDs gives rows their request ids. An id follows from the job, the identity
// of the row, and the number of equal rows before it, or the row's key. So ids
// stay the same when rows are moved or others are added.
type rowIDs struct {
	job  *job
	seen map[[16]byte]equalRows // by digest of the identity
	keys map[string]int         // the line that has a key
	seed maphash.Seed
}

// equalRows are rows with the same identity.
type equalRows struct {
	n int32
	// literal is a digest of the api_key in the input, or 0 without one. It is
	// valid in this process only.
	literal uint64
}

func newRowIDs(j *job) *rowIDs {
	return &rowIDs{job: j, seen: make(map[[16]byte]equalRows), keys: make(map[string]int), seed: maphash.MakeSeed()}
}

// name sets the row's request id. It refuses rows that differ only in an api_key
// in the input: if they were moved, they would take each other's id. It refuses a
// key that is there twice.
func (r *rowIDs) name(next *row, c *contract) error {
	identity, err := next.identity(c)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(identity)
	equal, again := r.seen[[16]byte(digest[:16])]
	literal := uint64(0)
	if next.copy.ApiKey != nil {
		literal = maphash.String(r.seed, *next.copy.ApiKey) | 1
	}
	if again && literal != equal.literal && next.key == "" {
		return errors.New("differs from an earlier row only in its api_key: give them different names or keys, or use api_key_env or api_key_file")
	}
	equal = equalRows{equal.n + 1, literal}
	r.seen[[16]byte(digest[:16])] = equal
	id := uuid.NewSHA1(r.job.ID, fmt.Appendf(identity, "\n%d", equal.n))
	if next.key != "" {
		if line, twice := r.keys[next.key]; twice {
			return fmt.Errorf("has the key of line %d", line)
		}
		r.keys[next.key] = next.line
		if !r.job.hadWithoutKey(id, next.key) {
			id = uuid.NewSHA1(r.job.ID, fmt.Appendf(identity, "\nkey\n%s", next.key))
		}
	}
	next.copy.RequestId = id.String()
	return nil
}

// hadWithoutKey reports whether an earlier run had a row without its key.
func (j *job) hadWithoutKey(id uuid.UUID, key string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.index[id]
	return e != nil && e.state != rowNew && (e.key == "" || e.key == key)
}
