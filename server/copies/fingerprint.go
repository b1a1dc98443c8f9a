package copies

import (
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/ledger"
)

// fingerprint returns the keyed digest of the call's request without its id, in its
// canonical form. Two calls with one request id must agree on it.
func (c *Coordinator) fingerprint(call create) (ledger.Digest, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(call.canonical())
	if err != nil {
		return ledger.Digest{}, err
	}
	return c.cfg.Fingerprint(b), nil
}
