package integration

import (
	"time"

	"github.com/digate/digate/server/setting"
)

// Settings are the settings of the service.
type Settings struct {
	RequireRequestID bool `name:"require-request-id" group:"Request ids:" help:"Refuse calls of CopyTemplate, CreateIntegration and CreateTool without a request id."`

	Unresolved string `name:"unresolved" group:"Request ids:" enum:"allow,refuse" default:"allow" help:"Whether to allow or refuse a copy with placeholders that get no value. The call can override it."`

	Bulk BulkSettings `embed:""`
}

// BulkSettings are the limits of bulk streams.
type BulkSettings struct {
	Concurrency  int           `name:"bulk-concurrency" group:"Bulk:" default:"16" help:"Concurrent copies of one stream."`
	MaxItems     int           `name:"bulk-max-items" group:"Bulk:" default:"1000000" help:"Maximum of copies in one gRPC stream."`
	ItemTimeout  time.Duration `name:"bulk-item-timeout" group:"Bulk:" default:"60s" help:"Time limit of one copy in a stream."`
	StallTimeout time.Duration `name:"bulk-stall-timeout" group:"Bulk:" default:"60s" help:"How long a stream may be idle: nothing requested, nothing read, nothing in progress."`
}

// Validate adds a problem for each invalid setting.
func (s *Settings) Validate(p *setting.Problems) {
	if s.Unresolved != unresolvedAllow && s.Unresolved != unresolvedRefuse {
		p.Addf("unresolved", "must be allow or refuse")
	}
	p.Between("bulk-concurrency", int64(s.Bulk.Concurrency), 1, 1_000_000)
	p.Between("bulk-max-items", int64(s.Bulk.MaxItems), 1, 10_000_000)
	p.Positive("bulk-item-timeout", s.Bulk.ItemTimeout)
	p.Positive("bulk-stall-timeout", s.Bulk.StallTimeout)
}
