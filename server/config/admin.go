package config

import (
	"strings"

	"github.com/digate/digate/server/setting"
)

// Admin are the settings of the admin listener, except its address.
type Admin struct {
	Pprof            bool `name:"admin-pprof" group:"Addresses:" help:"Serve Go's profiles under /debug/pprof/ of the admin listener."`
	ReadyNeedsLedger bool `name:"ready-needs-ledger" group:"Addresses:" help:"/readyz is 503 while the ledger cannot be used. Without it, /readyz stays 200, since calls without a request id go on."`
	// HostNames is a list separated by commas.
	HostNames string `name:"admin-hosts" group:"Addresses:" placeholder:"NAME,…" help:"Names by which the admin listener may be reached, separated by commas, beside localhost, IP addresses and the name in --admin-addr."`
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
