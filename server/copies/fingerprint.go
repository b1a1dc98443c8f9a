package copies

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/ledger"
)

// canonicals are buffers for requests in their canonical form, of *[]byte, each of
// maxCanonical bytes at most.
var canonicals = sync.Pool{New: func() any { return new([]byte) }}

const maxCanonical = 64 << 10

// fingerprint returns the keyed digest of the call's request without its id, in its
// canonical form. Two calls with one request id must agree on it.
func (c *Coordinator) fingerprint(call create) (ledger.Digest, error) {
	buffer := canonicals.Get().(*[]byte)
	defer canonicals.Put(buffer)
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend((*buffer)[:0], call.canonical())
	defer clear(b) // it has secrets
	if cap(b) <= maxCanonical {
		*buffer = b[:0]
	}
	if err != nil {
		return ledger.Digest{}, err
	}
	return c.cfg.Fingerprint(b), nil
}
