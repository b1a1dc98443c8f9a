package doctor

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/config"
)

// examineAccounts reads the file of accounts and its tokens, as serve does when it
// starts and when the file changes.
func examineAccounts(cfg *config.Config) finding {
	if cfg.AccountsFile == "" {
		if cfg.CallerID.On() {
			return skipped("the callers' own tokens go to Diga, and their claim " + cfg.CallerID.Claim + " names the caller")
		}
		return skipped("the callers' own tokens go to Diga, and a new token is a new caller")
	}
	store, err := accounts.Open(cfg.AccountsFile, nil, new(quiet))
	if err != nil {
		return failed(strings.ReplaceAll(err.Error(), "\n", "; "), "correct this; a server that runs keeps the version before, and none starts with this one")
	}
	set, st := store.Set(), store.Status()
	var names []string
	for _, a := range set.Accounts() {
		names = append(names, a.Name)
	}
	found := fmt.Sprintf("%s: %s (%s), %s, %s; SHA-256 %s", cfg.AccountsFile,
		counted(st.Accounts, "account"), some(names), counted(st.Callers, "caller"), counted(st.Issuers, "issuer"), st.Hash)
	if info, err := os.Stat(cfg.AccountsFile); err == nil {
		found += fmt.Sprintf(", changed %v ago", max(0, time.Since(info.ModTime())).Round(time.Second))
	}
	certificates := cfg.TLS.ClientCAFile != ""
	switch {
	case st.Issuers == 0 && !certificates:
		return failed(found, "nobody could authenticate: name an issuer of tokens in the file, or the authorities of callers' certificates with --tls-client-ca-file")
	case set.HasCertificates() && !certificates:
		return warn(found, "callers with certificates cannot call: no certificate is verified without --tls-client-ca-file")
	default:
		return ok("%s", found)
	}
}

// quiet is told what becomes of a file of accounts, and says nothing.
type quiet struct{}

func (*quiet) AccountsLoaded(*accounts.Set, accounts.Status) {}
func (*quiet) AccountsRefused(error)                         {}
func (*quiet) TokenRead(string)                              {}
func (*quiet) TokenRefused(string, error)                    {}
