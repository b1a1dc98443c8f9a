// Package audit writes the audit log. It has a line for each write, from which an auditor
// can see who did what and who was refused. A line has names, ids and numbers, but no
// secrets and no values of requests.
package audit

import (
	"cmp"

	"github.com/digate/digate/server/setting"
)

// Settings are the settings of the audit log.
type Settings struct {
	Path     string `name:"audit-log" group:"Audit:" type:"path" placeholder:"FILE" help:"File or pipe that gets a line of JSON for each write: who did what, and which writes were refused; - is standard output. Without it, there is no audit log."`
	Required bool   `name:"audit-required" group:"Audit:" help:"Send no write before the audit log has its line. If that line cannot be written, the write is refused, and nothing is sent."`
}

// standardOutput is the path that means standard output.
const standardOutput = "-"

// On reports whether there is an audit log.
func (s *Settings) On() bool { return s.Path != "" }

// Reopens reports whether the audit log can be reopened.
func (s *Settings) Reopens() bool { return s.On() && s.Path != standardOutput }

// Name returns the name of the audit log for messages.
func (s *Settings) Name() string {
	if s.Path == standardOutput {
		return "standard output"
	}
	return cmp.Or(s.Path, "off")
}

// Validate adds a problem for each invalid setting.
func (s *Settings) Validate(p *setting.Problems) {
	if s.Required && !s.On() {
		p.Addf("audit-required", "needs --audit-log")
	}
}
