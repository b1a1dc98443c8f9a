package config

import (
	"strings"

	"github.com/digate/digate/server/setting"
)

// Admin are the settings of the admin listener, except its address.
type Admin struct {
	Pprof            bool `name:"admin-pprof" group:"Addresses:" help:"Serve Go's profiles under /debug/pprof/ of the admin listener."`
	ReadyNeedsLedger bool `name:"ready-needs-ledger" group:"Addresses:" help:"Return 503 from /readyz while the ledger is unavailable. Without it, /readyz stays 200, because calls without a request id continue."`
	// HostNames is a list separated by commas.
	HostNames string `name:"admin-hosts" group:"Addresses:" placeholder:"NAME,…" help:"Additional host names of the admin listener, separated by commas. localhost, IP addresses and the name in --admin-addr are always accepted."`
}

// Hosts returns the names by which the admin listener may be reached.
func (a *Admin) Hosts() []string { return setting.List(a.HostNames) }

func (a *Admin) validate(p *setting.Problems) {
	for _, name := range a.Hosts() {
		if name == "" || strings.ContainsAny(name, ":/*@ ") {
			p.Addf("admin-hosts", "must be host names without a port, such as digate.internal, separated by commas")
			break
		}
	}
}
