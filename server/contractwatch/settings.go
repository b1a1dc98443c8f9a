package contractwatch

import (
	"time"

	"github.com/digate/digate/server/setting"
)

// Settings are the settings of the watch.
type Settings struct {
	Interval time.Duration `name:"contract-watch" group:"Diga:" default:"0s" help:"How often Diga's published OpenAPI document is read and compared with the contract, such as 24h; 0 means never."`
	URL      string        `name:"contract-url" group:"Diga:" default:"https://api.diga.io/openapi.json" help:"URL of that document. It is read without a credential."`
}

// Validate adds a problem for each invalid setting.
func (s *Settings) Validate(p *setting.Problems) {
	if s.Interval != 0 && s.Interval < time.Minute {
		p.Addf("contract-watch", "must be 0 or at least 1m")
	}
	p.NotTooLong("contract-watch", s.Interval)
	if _, err := ParseURL(s.URL); err != nil {
		p.Addf("contract-url", "%v", err)
	}
}
