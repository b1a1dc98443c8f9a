package config

import (
	"github.com/digate/digate/server/authn/claim"
	"github.com/digate/digate/server/setting"
)

// Access is who may call, and what needs no credential.
type Access struct {
	AccountsFile   string         `name:"accounts-file" group:"Access:" type:"path" placeholder:"FILE" help:"YAML file of accounts, each with its token for Diga, and of the callers that may use them. Without it, a caller's own token goes to Diga."`
	CallerID       claim.Settings `embed:""`
	OpenReflection bool           `name:"open-reflection" group:"Access:" help:"Let anybody list the methods by gRPC's server reflection. Without it, reflection needs a credential, as all else but the health service."`
}

func (a *Access) validate(p *setting.Problems) {
	a.CallerID.Validate(p)
	if a.AccountsFile != "" && a.CallerID.On() {
		p.Addf("caller-id-claim", "is for callers whose tokens go to Diga; with --accounts-file callers have their names from the file")
	}
}
