package ledger

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/digate/digate/server/setting"
)

// Settings are the settings of the ledger.
type Settings struct {
	// Spec is the text that [ParseSpec] parses.
	Spec string `name:"ledger" group:"Request ids:" default:"memory" placeholder:"STORE" help:"Where request ids are stored: memory (until the process ends), sqlite:PATH (one server), or postgres://USER@HOST/DATABASE (several servers)."`
	// KeyFile is the path of the file that [LoadKey] reads.
	KeyFile string `name:"ledger-key-file" group:"Request ids:" type:"path" placeholder:"FILE" help:"File with the 32-byte key of the ledger's digests. For sqlite the default is PATH.key, which is created if it does not exist; for postgres all servers need the same key."`
	// Retention is how long settled records are kept. Zero means [DefaultRetention].
	Retention time.Duration `name:"ledger-retention" group:"Request ids:" default:"24h" help:"How long a request id is kept after its copy was done or came into doubt."`
	// MemoryRecords is the maximum number of records in a memory ledger. Zero means the
	// store's default.
	MemoryRecords int `name:"ledger-memory-records" group:"Request ids:" default:"1000000" help:"Maximum of request ids in the in-memory ledger; further ones are refused until older ones expire."`
}

// Validate adds a problem for each invalid setting. A record must be kept for as long as
// its call may take, so the retention depends on longestCall.
func (s *Settings) Validate(p *setting.Problems, longestCall time.Duration) {
	if _, err := ParseSpec(s.Spec, s.KeyFile); err != nil {
		p.Addf("ledger", "%v", err)
	}
	if least := 4*longestCall + time.Minute; s.Retention < least {
		p.Addf("ledger-retention", "must be %v or more, with the longest call at %v (--upstream-timeout, --max-deadline, --bulk-item-timeout)", least, longestCall)
	}
	p.NotTooLong("ledger-retention", s.Retention)
	p.Between("ledger-memory-records", int64(s.MemoryRecords), 1, 100_000_000)
}

// Format implements [fmt.Formatter]. No verb prints a credential in a URL.
func (s Settings) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, setting.String(s)) }

// LogValue implements [slog.LogValuer].
func (s Settings) LogValue() slog.Value { return setting.LogValue(s) }
