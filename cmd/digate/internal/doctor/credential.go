package doctor

import (
	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/secret"
)

// credential is a bearer token for Diga.
type credential struct {
	account string // in the file of accounts; empty for a caller's own token
	token   secret.String
}

// credentials returns the tokens with which serve would call Diga: those of the accounts,
// or that of a caller.
func (e *examination) credentials() ([]credential, finding) {
	if e.cfg.AccountsFile == "" {
		if e.noToken != nil {
			return nil, failed(e.noToken.Error(), "digate passes the bearer token of its callers on to Diga; give doctor such a token to try")
		}
		return []credential{{token: e.token}}, ok("a bearer token, from %s", map[bool]string{true: "--token-file", false: "DIGATE_TOKEN"}[e.tokenFile != ""])
	}
	store, err := accounts.Open(e.cfg.AccountsFile, nil, new(quiet))
	if err != nil {
		return nil, failed("--accounts-file cannot be used", "see the check accounts")
	}
	var all []credential
	for _, a := range store.Set().Accounts() {
		all = append(all, credential{a.Name, a.Token.Reveal()})
	}
	if all == nil {
		return nil, failed("the file of accounts has no account", "add one: see docs/accounts.md")
	}
	return all, ok("the tokens of %s, from --accounts-file", counted(len(all), "account"))
}
