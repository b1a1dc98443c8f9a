package copies

import "github.com/digate/digate/server/setting"

// Settings are the settings of calls with a request id.
type Settings struct {
	SettleDoubts string `name:"settle-doubts" group:"Request ids:" enum:"off,mark" default:"off" help:"How doubts are settled without a person: off, or mark. With mark, digate sends names with a mark and searches for it; each copy needs one more request."`
}

// The values of the setting settle-doubts.
const (
	settleOff  = "off"
	settleMark = "mark"
)

// Validate adds a problem for each invalid setting.
func (s *Settings) Validate(p *setting.Problems) {
	if s.SettleDoubts != settleOff && s.SettleDoubts != settleMark {
		p.Addf("settle-doubts", "must be off or mark")
	}
}

// Mark reports whether calls are marked.
func (s *Settings) Mark() bool { return s.SettleDoubts == settleMark }
