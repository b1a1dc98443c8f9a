package claim

import (
	"slices"
	"strings"

	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/setting"
)

// Settings are the claim that identifies callers, and the issuer whose tokens are
// accepted.
type Settings struct {
	Claim      string `name:"caller-id-claim" group:"Access:" placeholder:"NAME" help:"Claim of the callers' tokens that identifies the caller, such as sub. The tokens must be JWTs of --caller-id-issuer, and are passed to Diga. Without it, a new token is a new caller."`
	Issuer     string `name:"caller-id-issuer" group:"Access:" placeholder:"URL" help:"Required value of the claim iss of the callers' tokens."`
	Audience   string `name:"caller-id-audience" group:"Access:" placeholder:"NAME" help:"Value that the claim aud of the callers' tokens must contain."`
	Keys       string `name:"caller-id-keys" group:"Access:" placeholder:"URL" help:"Key set (JWKS) of the issuer: https://…, or file:///PATH."`
	Algorithms string `name:"caller-id-algorithms" group:"Access:" default:"RS256,ES256,EdDSA" placeholder:"NAME,…" help:"Allowed signature algorithms of the callers' tokens, separated by commas."`
}

// On reports whether callers are identified by a claim.
func (s *Settings) On() bool { return s.Claim != "" }

// Validate adds a problem for each invalid setting.
func (s *Settings) Validate(p *setting.Problems) {
	if !s.On() {
		if s.Issuer+s.Audience+s.Keys != "" {
			p.Addf("caller-id-claim", "must name a claim where --caller-id-issuer, --caller-id-audience or --caller-id-keys is set")
		}
		return
	}
	if strings.ContainsFunc(s.Claim, unprintable) {
		p.Addf("caller-id-claim", "must be the name of a claim, such as sub")
	}
	if s.Issuer == "" || strings.ContainsFunc(s.Issuer, unprintable) {
		p.Addf("caller-id-issuer", "must be the issuer of the callers' tokens, such as https://idp.example, with --caller-id-claim")
	}
	if s.Audience == "" {
		p.Addf("caller-id-audience", "must be the audience of the callers' tokens, with --caller-id-claim")
	}
	if err := accounts.CheckKeys(s.Keys); err != nil {
		p.Addf("caller-id-keys", "%v", err)
	}
	for _, name := range setting.List(s.Algorithms) {
		if !slices.Contains(accounts.Algorithms, name) {
			p.Addf("caller-id-algorithms", "must be some of %s, separated by commas", strings.Join(accounts.Algorithms, ", "))
			break
		}
	}
	if len(setting.List(s.Algorithms)) == 0 {
		p.Addf("caller-id-algorithms", "must name an algorithm")
	}
}

func unprintable(r rune) bool { return r <= ' ' || r == 0x7f }

// issuer returns the issuer of callers' tokens.
func (s *Settings) issuer() *accounts.Issuer {
	return &accounts.Issuer{
		Name: s.Issuer, Issuer: s.Issuer, Audience: s.Audience, Keys: s.Keys,
		Algorithms: setting.List(s.Algorithms), Leeway: accounts.DefaultLeeway,
	}
}
