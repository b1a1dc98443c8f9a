package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
	"github.com/digate/digate/server/ledger/listing"
	"github.com/digate/digate/server/ledgerservice"
	"github.com/digate/digate/server/upstream"
)

// operatorFlags say where an operator reads records, which are those of all callers:
// in the ledger itself, or from the admin listener of a running digate. That listener
// knows nobody, so it changes nothing.
type operatorFlags struct {
	Ledger    string        `name:"ledger" group:"Operator:" placeholder:"STORE" help:"The ledger itself, as serve has it: sqlite:PATH or postgres://USER@HOST/DATABASE. Without it, records are read from --admin."`
	KeyFile   string        `name:"ledger-key-file" group:"Operator:" type:"path" placeholder:"FILE" help:"The key file of the ledger, as serve has it. For sqlite it is PATH.key unless given."`
	Retention time.Duration `name:"ledger-retention" group:"Operator:" default:"24h" help:"How long a settled record is kept, as serve has it."`
	Admin     string        `name:"admin" group:"Operator:" placeholder:"URL" default:"http://127.0.0.1:9091" help:"The admin listener of a running digate."`
}

// local reports whether the records are read in the ledger itself.
func (f *operatorFlags) local() bool { return f.Ledger != "" && f.Ledger != ledger.Memory.Name }

// ledgerWords returns the flags with which a command finds the same ledger. A URL may
// hold a password and is not among them.
func (f *operatorFlags) ledgerWords() []string {
	var words []string
	switch {
	case strings.HasPrefix(f.Ledger, "sqlite:"):
		words = append(words, "--ledger", f.Ledger)
	default:
		words = append(words, "--ledger", "URL")
	}
	if f.KeyFile != "" {
		words = append(words, "--ledger-key-file", f.KeyFile)
	}
	return words
}

// open opens the ledger itself.
func (f *operatorFlags) open(ctx context.Context) (*backend.Ledger, error) {
	return backend.OpenExisting(ctx, ledger.Settings{Spec: f.Ledger, KeyFile: f.KeyFile, Retention: f.Retention})
}

// list returns the records that a query asks for, and reports whether there are more.
func (f *operatorFlags) list(ctx context.Context, q ledger.Query) (listing.Page, error) {
	if !f.local() {
		return f.listAdmin(ctx, q)
	}
	l, err := f.open(ctx)
	if err != nil {
		return listing.Page{}, err
	}
	defer func() { _ = l.Close() }()
	limit := q.Limit
	q.Limit++
	found, err := l.List(ctx, q)
	if err != nil {
		return listing.Page{}, fmt.Errorf("--ledger: %w", err)
	}
	return listing.PageOf(found, limit), nil
}

// maxListing bounds a response of the admin listener, in bytes.
const maxListing = 16 << 20

func (f *operatorFlags) listAdmin(ctx context.Context, q ledger.Query) (page listing.Page, _ error) {
	base, err := url.Parse(f.Admin)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return page, errors.New("--admin: must be a URL such as http://127.0.0.1:9091")
	}
	base = base.JoinPath(listing.Path)
	base.RawQuery = listing.Values(q).Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.String(), nil)
	if err != nil {
		return page, fmt.Errorf("--admin: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if of := (*url.Error)(nil); errors.As(err, &of) {
			err = of.Err
		}
		return page, fmt.Errorf("no admin listener answers at %s: %w", base.Host, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxListing))
	switch {
	case err != nil:
		return page, fmt.Errorf("the admin listener at %s: %w", base.Host, err)
	case resp.StatusCode != http.StatusOK:
		return page, fmt.Errorf("the admin listener at %s: %s: %s", base.Host, resp.Status, term.OneLine.Replace(string(text[:min(len(text), 300)])))
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return page, fmt.Errorf("what answers at %s is no admin listener of digate", base.Host)
	}
	return page, nil
}

// find returns the record whose name begins so.
func (f *operatorFlags) find(ctx context.Context, name string) (ledger.Record, error) {
	page, err := f.list(ctx, ledger.Query{Record: name, Limit: 1})
	switch {
	case err != nil:
		return ledger.Record{}, err
	case len(page.Records) == 0:
		return ledger.Record{}, notOne(0)
	case page.More:
		return ledger.Record{}, notOne(2)
	}
	return page.Records[0].Ledger()
}

// notOne returns the error of a name with which that many records begin.
func notOne(n int) error {
	if n == 0 {
		return errors.New("the ledger has no record whose name begins so; it may be gone, or in another ledger")
	}
	return errors.New("several records have names that begin so: give more digits")
}

// methodOf returns the method of a record, or of --method where the record names none.
func (f *ledgerFlags) methodOf(r ledger.Record) (copies.Method, error) {
	m, known := copies.ParseMethod(r.Method)
	given, isGiven := copies.ParseMethod(f.Method)
	switch {
	case known && isGiven && m != given:
		return m, errors.New("--method: the record is of " + m.String())
	case known:
		return m, nil
	case isGiven:
		return given, nil
	case r.ParentID == "":
		return copies.CreateIntegration, nil
	default:
		return m, errors.New("the record is of an older digate and does not say its method: name it with --method")
	}
}

// throughDigate asks Diga through a running digate, with the token of the one who
// runs the command.
type throughDigate struct{ conn grpc.ClientConnInterface }

func (u throughDigate) Call(ctx context.Context, call upstream.Call) error {
	return u.conn.Invoke(ctx, call.Method, call.Request, call.Response)
}

// showOperator returns what is recorded of a call by the name of its record, as
// GetCopy does by its request id. With a token it has the candidates of a doubt;
// otherwise hint says how to get them.
func (c *ledgerShowCmd) showOperator(ctx context.Context) (_ *digatev1.GetCopyResponse, hint string, _ error) {
	r, err := c.find(ctx, c.Record)
	if err != nil {
		return nil, "", err
	}
	m, err := c.methodOf(r)
	if err != nil {
		return nil, "", err
	}
	resp := &digatev1.GetCopyResponse{Copy: ledgerservice.Message(m, "", r)}
	switch {
	case r.State != ledger.Unknown:
		return resp, "", nil
	case !c.local():
		return resp, "Its candidates are shown with --ledger, which names the ledger itself, and a token of its account.", nil
	}
	if _, err := client.Token(c.TokenFile); err != nil {
		return resp, "Its candidates are shown with a token of its account, in DIGATE_TOKEN or --token-file, through a running digate (--addr).", nil
	}
	if err := c.candidates(ctx, m, r, resp); err != nil {
		return resp, "Its candidates could not be asked for: " + err.Error(), nil
	}
	return resp, "", nil
}

func (c *ledgerShowCmd) candidates(ctx context.Context, m copies.Method, r ledger.Record, to *digatev1.GetCopyResponse) error {
	l, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	ctx, conn, done, err := c.Connect(ctx)
	if err != nil {
		return err
	}
	defer done()
	found, err := copies.Candidates(ctx, throughDigate{conn}, l.Named, m, r, copies.Look)
	if err != nil {
		return err
	}
	to.Copy.Candidates = ledgerservice.CandidateMessages(m, found)
	return nil
}

// resolveFlags are settings of serve on which it depends how long the server of a call
// may still be sending it.
type resolveFlags struct {
	UpstreamTimeout time.Duration `name:"upstream-timeout" group:"Operator:" default:"30s" help:"As serve has it. With the next two, it says how soon a call whose server fell silent can be settled as not created."`
	MaxDeadline     time.Duration `name:"max-deadline" group:"Operator:" default:"2m" help:"As serve has it."`
	copies.Settings `embed:""`
	ItemTimeout     time.Duration `name:"bulk-item-timeout" group:"Operator:" default:"60s" help:"As serve has it."`
}

func (f *resolveFlags) ownerGone() time.Duration {
	return server.OwnerGone(max(f.UpstreamTimeout, f.MaxDeadline, f.ItemTimeout))
}

// resolveOperator settles a call by the name of its record, in the ledger itself. Who
// did it is in the log, which goes to standard error.
func (c *ledgerResolveCmd) resolveOperator(ctx context.Context, std term.IO) error {
	looking, cancel := context.WithTimeout(ctx, c.Timeout) // and not while a person thinks
	defer cancel()
	l, err := c.open(looking)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	found, err := l.List(looking, ledger.Query{Record: c.Record, Limit: 2})
	if err != nil {
		return fmt.Errorf("--ledger: %w", err)
	}
	if len(found) != 1 {
		return notOne(len(found))
	}
	r := found[0]
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
	if marks := c.Mark() && m.Marked(); marks || id != "" { // Diga is asked whether the call can have created it
		var conn *grpc.ClientConn
		var done func()
		if ctx, conn, done, err = c.Dial(ctx, std, client.Settles); err != nil {
			return err
		}
		defer done()
		settler.Upstream = throughDigate{conn}
		if marks {
			settler.Marks = &copies.Marks{Mark: l.Keys.Mark, Upstream: settler.Upstream, Ledger: l, Observer: unobserved{}, Log: log}
		}
	}
	if r, err = settler.Settle(ctx, "operator "+whoami(), m, r, id); err != nil {
		return client.Fail(std.Err, c.Output, client.Settles, err)
	}
	switch resp := new(digatev1.ResolveCopyResponse); {
	case c.Output == client.OutputJSON:
		if id != "" {
			resp.Copy = ledgerservice.Message(m, "", r)
		}
		return client.PrintJSON(std.Out, resp)
	case id == "":
		_, err = fmt.Fprintf(std.Out, "the record %s is deleted, and its request id can be used again\n", r.Key.RecordName())
		return err
	default:
		return showRecord(std.Out, ledgerservice.Message(m, "", r))
	}
}

// unobserved observes nothing.
type unobserved struct{}

func (unobserved) Start(ctx context.Context, _ exchange.Operation) (context.Context, func(*exchange.Exchange, error)) {
	return ctx, func(*exchange.Exchange, error) {}
}

// whoami returns the user of this process and the machine.
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
