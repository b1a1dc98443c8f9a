package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/user"
	"time"

	"google.golang.org/grpc"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/audit"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledgerservice"
)

// resolveFlags are settings of serve that determine how long the server of a call may
// still be sending it.
type resolveFlags struct {
	UpstreamTimeout time.Duration `name:"upstream-timeout" group:"Operator:" default:"30s" help:"As serve has it. With the next two, it says how soon a call whose server fell silent can be settled as not created."`
	MaxDeadline     time.Duration `name:"max-deadline" group:"Operator:" default:"2m" help:"As serve has it."`
	copies.Settings `embed:""`
	Audit           audit.Settings `embed:""`
	ItemTimeout     time.Duration  `name:"bulk-item-timeout" group:"Operator:" default:"60s" help:"As serve has it."`
}

func (f *resolveFlags) ownerGone() time.Duration {
	return server.OwnerGone(max(f.UpstreamTimeout, f.MaxDeadline, f.ItemTimeout))
}

// resolveOperator settles a call by the name of its record in the ledger itself. It logs
// who did so to standard error.
func (c *ledgerResolveCmd) resolveOperator(ctx context.Context, std term.IO) error {
	looking, cancel := context.WithTimeout(ctx, c.Timeout) // without the time in which the person decides
	defer cancel()
	l, err := c.open(looking)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	r, err := oneRecord(looking, l, c.Record)
	if err != nil {
		return err
	}
	m, err := c.methodOf(r)
	if err != nil {
		return client.WrongUsage(std.Err, err)
	}
	id := cmp.Or(c.Integration, c.Tool)
	if id != "" && (c.Tool != "") != (m == copies.CreateTool) {
		return client.WrongUsage(std.Err, fmt.Errorf("the call is a %s: it created no %s", m, map[bool]string{true: "tool", false: "integration"}[c.Tool != ""]))
	}
	if !c.Yes {
		if err := c.confirm(ctx, std, ledgerservice.Message(m, "", r)); err != nil {
			return err
		}
	}
	ctx, cancel = context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	log := operatorLog(std.Err)
	settler := ledgerservice.Settler{Ledger: l, OwnerGone: c.ownerGone(), Log: log}
	if marks := c.Mark() && m.Marked(); marks || id != "" { // Diga's integration or tool shows whether the call can have created it
		var conn *grpc.ClientConn
		var done func()
		if ctx, conn, done, err = c.Dial(ctx, std, client.Settles); err != nil {
			return err
		}
		defer done()
		settler.Upstream = throughDigate{conn}
		if marks {
			settler.Marks = &copies.Marks{Mark: l.Keys.Mark, Upstream: settler.Upstream, Ledger: l, Log: log}
		}
	}
	who := "operator " + whoami()
	line, err := beginAudit(ctx, c.Audit, who, m, r, id, log)
	if err != nil {
		return err
	}
	if settler.Marks != nil {
		line.watch(settler.Marks)
	}
	r, err = settler.Settle(ctx, who, m, r, id)
	line.end(err)
	if err != nil {
		return client.Fail(std.Err, c.Output, client.Settles, err, c.look(client.Settles)...)
	}
	return c.showSettled(std, m, r, id)
}

// oneRecord returns the record in a ledger whose name has the given prefix.
func oneRecord(ctx context.Context, l ledger.Store, name string) (ledger.Record, error) {
	found, err := l.List(ctx, ledger.Query{Record: name, Limit: 2})
	if err != nil {
		return ledger.Record{}, fmt.Errorf("--ledger: %w", err)
	}
	if len(found) != 1 {
		return ledger.Record{}, notOne(len(found))
	}
	return found[0], nil
}

// showSettled prints the record of a settled call. If the call created nothing, its
// record was deleted and id is empty.
func (c *ledgerResolveCmd) showSettled(std term.IO, m copies.Method, r ledger.Record, id string) error {
	switch resp := new(digatev1.ResolveCopyResponse); {
	case c.Output == client.OutputJSON:
		if id != "" {
			resp.Copy = ledgerservice.Message(m, "", r)
		}
		return client.PrintJSON(std.Out, resp)
	case id == "":
		_, err := fmt.Fprintf(std.Out, "the record %s is deleted, and its request id can be used again\n", r.Key.RecordName())
		return err
	default:
		return showRecord(std.Out, ledgerservice.Message(m, "", r))
	}
}

// whoami returns the user of this process and the host name.
func whoami() string {
	name, host := fmt.Sprint("uid ", os.Getuid()), "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
