package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
)

// ledgerTimeout bounds the check of the ledger.
const ledgerTimeout = 10 * time.Second

// examineLedger opens the ledger as a server would.
func examineLedger(ctx context.Context, s ledger.Settings) finding {
	ctx, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	found, err := backend.Examine(ctx, s)
	if err != nil {
		return failed(err.Error(), "serve does not start like that, or cannot send calls with a request id")
	}
	switch {
	case found.Engine == ledger.Memory:
		return ok("in memory: serve forgets its request ids when it ends")
	case found.Begins:
		return ok("%s: there is none yet, and serve can create it", found.Engine.Name)
	case found.Older:
		return warn(found.Engine.Name+": it is of an older digate, and serve brings it up to date when it starts",
			"servers of that older digate go on, but do not start again with it")
	}
	n := found.Stats.Records
	holds := fmt.Sprintf("%s: its key fits, and it can be written; it has %s done and %s under way", found.Engine.Name,
		callCount(n[ledger.Done]), callCount(n[ledger.Claimed]+n[ledger.Sending]))
	if n[ledger.Unknown] == 0 {
		return ok("%s, and none in doubt", holds)
	}
	return warn(fmt.Sprintf("%s; %s in doubt, the oldest for %s", holds, callCount(n[ledger.Unknown]), round(found.Stats.OldestDoubt)),
		"`digate ledger list --state unknown` lists them, and nobody else settles them")
}

// callCount returns a number of calls, up to which they were counted.
func callCount(n int) string {
	if n >= ledger.MaxCounted {
		return fmt.Sprintf("%d calls or more", n)
	}
	return counted(n, "call")
}
