package config

import (
	"github.com/digate/digate/server/authn/claim"
	"github.com/digate/digate/server/setting"
)

// Access are the settings for who may call, and what needs no credential.
type Access struct {
	AccountsFile   string         `name:"accounts-file" group:"Access:" type:"path" placeholder:"FILE" help:"YAML file of accounts, each with its token for Diga, and of the callers that may use them. Without it, digate passes the caller's own token to Diga."`
	CallerID       claim.Settings `embed:""`
	FormerCallerID string         `name:"former-caller-id" group:"Access:" enum:"none,token" default:"none" help:"How callers were identified before: none, or token. With token, records from the time when the token was the caller stay valid. A call with a request id then has two records."`
	OpenReflection bool           `name:"open-reflection" group:"Access:" help:"Allow gRPC server reflection without a credential. By default, only the health service needs none."`
}

// The values of the setting former-caller-id.
const (
	formerNone  = "none"
	formerToken = "token"
)

// CallersWereTokens reports whether records from the time when tokens identified callers
// are still used.
func (a *Access) CallersWereTokens() bool { return a.FormerCallerID == formerToken }

func (a *Access) validate(p *setting.Problems) {
	a.CallerID.Validate(p)
	switch {
	case a.FormerCallerID != formerNone && a.FormerCallerID != formerToken:
		p.Addf("former-caller-id", "must be none or token")
	case a.FormerCallerID == formerToken && a.AccountsFile == "" && !a.CallerID.On():
		p.Addf("former-caller-id", "is for servers with --accounts-file or --caller-id-claim; without either, a caller still is its token")
	}
	if a.AccountsFile != "" && a.CallerID.On() {
		p.Addf("caller-id-claim", "is for callers whose tokens go to Diga; with --accounts-file callers have their names from the file")
	}
}
