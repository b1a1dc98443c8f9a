package copies

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/ledger"
)

// canonicals is a pool of *[]byte buffers for canonical requests, each with at most
// maxCanonical bytes.
var canonicals = sync.Pool{New: func() any { return new([]byte) }}

const maxCanonical = 64 << 10

// fingerprint returns the keyed digest of the call's canonical request without its
// request id. Two calls with the same request id must have the same fingerprint.
func (c *Coordinator) fingerprint(call create) (ledger.Digest, error) {
	buffer := canonicals.Get().(*[]byte)
	defer canonicals.Put(buffer)
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend((*buffer)[:0], call.canonical())
	defer clear(b) // it contains secrets
	if cap(b) <= maxCanonical {
		*buffer = b[:0]
	}
	if err != nil {
		return ledger.Digest{}, err
	}
	return c.cfg.Fingerprint(b), nil
}
