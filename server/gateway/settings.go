package gateway

import "github.com/digate/digate/server/setting"

// Settings are what can be set of the REST side alone.
type Settings struct {
	BulkMaxItems int `name:"bulk-rest-max-items" group:"Bulk:" default:"1000" help:"Most copies of one REST request."`
}

// Validate adds what is wrong with the settings.
func (s *Settings) Validate(p *setting.Problems) {
	p.Between("bulk-rest-max-items", int64(s.BulkMaxItems), 1, 1_000_000)
}
