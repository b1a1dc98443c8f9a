package complete

import (
	"context"
	"strings"
	"time"

	"github.com/digate/digate/server/apierror"
)

// timeLimit is how long a person who presses Tab waits for ids.
const timeLimit = time.Second

// ids returns the ids, or the reasons, that an argument can have.
func (l *line) ids(ctx context.Context, argument string) []Candidate {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	switch argument {
	case "template_id":
		return l.program.IDs(ctx, l.listing("templates", "list"))
	case "integration_id":
		return l.program.IDs(ctx, l.listing("integrations", "list"))
	case "tool_id":
		if len(l.args) > 0 {
			return l.program.IDs(ctx, l.listing("tools", "list", "--", l.args[0]))
		}
	case "reason":
		return reasons()
	}
	return nil
}

// reasons returns the reasons of failures.
func reasons() (all []Candidate) {
	for _, r := range apierror.Reasons() {
		all = append(all, Candidate{Value: r.Reason, About: strings.ReplaceAll(r.Meaning, "`", "")})
	}
	return all
}

// listing returns a command line that lists. It takes the flags of the
// connection from the line that is completed.
func (l *line) listing(command ...string) []string {
	args := command[:2:2]
	for _, flag := range l.flags {
		for _, name := range []string{"config", "addr", "tls", "ca-file", "cert-file", "key-file", "account", "token-file", "language"} {
			of := flag == "--"+name || strings.HasPrefix(flag, "--"+name+"=")
			if of && (name != "language" || command[0] == "templates") {
				args = append(args, flag)
			}
		}
	}
	return append(args, command[2:]...)
}
