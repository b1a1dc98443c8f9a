package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
)

// The values of --existing.
const (
	existingCopy = "copy"
	existingSkip = "skip"
)

// errExisting says that rows are at Diga already. They were shown.
var errExisting = errors.New("rows are there already")

// existing is an integration that Diga has.
type existing struct {
	id       string
	name     string
	template string // empty if Diga does not say
	created  time.Time
}

// inventory holds the integrations of the caller that the job did not make. A job
// knows only what it made itself: Diga alone knows what was made under a job whose
// file is gone, or by hand.
type inventory struct {
	byName map[string][]existing // by what is alike in names; the newest first
	// byLine are the integrations that other jobs made of the same rows, and byID what
	// Diga has of these.
	byLine map[int32]string
	byID   map[string]existing
	// whole says that no integration is missing.
	whole bool
	// nameless counts the rows that could not be compared, because the names of
	// their copies are not known.
	nameless int
	told     bool
}

// find returns the newest integration that may be the copy of a row: it has its name
// and its template. A name that is empty is not known.
func (inv *inventory) find(line int32, name, template string) (found existing, ok bool) {
	if inv == nil {
		return existing{}, false
	}
	if id := inv.byLine[line]; id != "" {
		has, ok := inv.byID[id]
		if has.id = id; ok || !inv.whole { // else it was deleted at Diga
			return has, true
		}
	}
	if name == "" {
		inv.nameless++
		return existing{}, false
	}
	for _, has := range inv.byName[likeName(shortName(name))] {
		if has.template == "" || strings.EqualFold(has.template, template) {
			return has, true
		}
	}
	return existing{}, false
}

// tell says once that there are rows that could not be compared.
func (inv *inventory) tell(say func(string)) {
	if inv != nil && inv.nameless > 0 && !inv.told {
		inv.told = true
		say("rows without a name are not compared with what Diga has already")
	}
}

// add notes an integration under its name. A mark at the end of a name is digate's
// own, of a call whose end is not known yet.
func (inv *inventory) add(in *integrationv1.Integration) existing {
	has := existing{id: in.GetId(), name: shortName(in.GetName()), template: in.GetSourceIntegrationTemplateId()}
	if in.GetCreatedAt() != nil {
		has.created = in.GetCreatedAt().AsTime()
	}
	name := likeName(has.name)
	inv.byName[name] = append(inv.byName[name], has)
	if marked := likeName(shortName(mark.ReplaceAllString(in.GetName(), ""))); marked != name {
		inv.byName[marked] = append(inv.byName[marked], has)
	}
	return has
}

// mark matches the mark at the end of a name.
var mark = regexp.MustCompile(`~[0-9a-z]{10}$`)

const (
	// maxListed bounds the integrations that rows are compared with.
	maxListed = 100_000
)

// takeInventory reads the list of the caller's integrations. It returns nil if new
// rows are not to be compared, and if the caller may not read the list.
func (c *Command) takeInventory(ctx context.Context, j *job, conn *connection, p *progress) (*inventory, error) {
	if c.Existing == existingCopy {
		return nil, nil
	}
	if err := j.askReplaced(ctx, conn); err != nil {
		return nil, err
	}
	own := make(map[string]bool)
	for _, e := range j.entries {
		if e.isMade() {
			own[e.made] = true
		}
	}
	inv := &inventory{byName: make(map[string][]existing), byLine: j.elsewhere, byID: make(map[string]existing)}
	made := make(map[string]bool, len(j.elsewhere))
	for _, id := range j.elsewhere {
		made[id] = true
	}
	ctx = metadata.NewOutgoingContext(ctx, conn.md)
	var read atomic.Int64
	stop := p.prepare(func() string {
		return fmt.Sprintf("reading which integrations are there already: %d so far", read.Load())
	})
	err := listIntegrations(ctx, conn.client, func(in *integrationv1.Integration, n int) {
		read.Store(int64(n))
		if own[in.GetId()] {
			return
		}
		has := inv.add(in)
		if made[has.id] {
			inv.byID[has.id] = has
		}
	})
	stop()
	e := apierror.FromError(err)
	switch _, isStatus := status.FromError(err); {
	case err == nil:
		inv.whole = true
		return inv, nil
	case errors.Is(err, errListTooLong):
		p.say(fmt.Sprintf("Diga has more than %d integrations:\nnew rows are compared only with the newest ones", maxListed))
		return inv, nil
	case ctx.Err() != nil:
		return nil, errInterrupted
	case !isStatus || e.Code == codes.Unauthenticated:
		return nil, err
	case e.Code == codes.PermissionDenied || e.Code == codes.Unimplemented:
		p.say("the list of integrations may not be read:\nnobody looks whether rows are at Diga already")
		if len(inv.byLine) == 0 {
			return nil, nil
		}
		return inv, nil // what other jobs made is known
	}
	return nil, fmt.Errorf("%w: nobody knows whether rows are at Diga already, because the list of integrations cannot be read: %w\n--existing=copy sends the rows all the same", errNothingSent, describeFailure(err))
}

// errListTooLong says that there are more integrations than are read.
var errListTooLong = errors.New("too many integrations")

// listIntegrations calls add with each integration, the newest first, and with how
// many came so far. A list that breaks off is continued.
func listIntegrations(ctx context.Context, service integrationv1.IntegrationServiceClient, add func(in *integrationv1.Integration, n int)) error {
	var after *string
	for n, tries := 0, 0; ; {
		began := n
		stream, err := service.StreamIntegrations(ctx, &integrationv1.StreamIntegrationsRequest{After: after})
		for err == nil {
			var m *integrationv1.StreamIntegrationsResponse
			if m, err = stream.Recv(); err == nil {
				if n++; n > maxListed {
					return errListTooLong
				}
				id := m.GetIntegration().GetId()
				after = &id
				add(m.GetIntegration(), n)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if tries++; n > began {
			tries = 0
		}
		e := apierror.FromError(err)
		if tries >= maxTries || e.Code != codes.Unavailable && e.RetryAfter == nil {
			return err
		}
		wait := firstWait
		if e.RetryAfter != nil {
			wait = min(max(wait, *e.RetryAfter), lastWait)
		}
		sleep(ctx, wait)
	}
}

// thereRow is a row of the input, and the integration that may be its copy.
type thereRow struct {
	row *entry
	has existing
}

// notMadeByItself returns the rows that are at Diga already, without those that the job
// itself made and lost from its file: the ledger knows these by their request ids.
func (j *job) notMadeByItself(ctx context.Context, conn *connection, rows []thereRow) (others []thereRow, err error) {
	if len(j.promises) == 0 || len(rows) == 0 {
		return rows, nil
	}
	asked := make([]*entry, len(rows))
	for i, r := range rows {
		asked[i] = r.row
	}
	lines, err := askAbout(ctx, conn, asked)
	if err != nil {
		return nil, fmt.Errorf("%w: the ledger cannot be asked what became of rows: %w", errNothingSent, describeFailure(err))
	}
	for _, line := range lines {
		if line.State == lineNone {
			continue // the row is as new as it was
		}
		e := j.index[line.Row]
		line.Line, line.Name, line.Key = e.line, e.name, e.key
		j.record(line)
	}
	for _, r := range rows {
		if j.isFresh(r.row) {
			others = append(others, r)
		}
	}
	return others, nil
}

// leaveExisting returns the lines of the file that leave the rows as they are. It
// returns errExisting, and shows the rows, if nobody said what to do with them.
func (c *Command) leaveExisting(w io.Writer, rows []thereRow) (lines []jobLine, err error) {
	if len(rows) == 0 {
		return nil, nil
	}
	if c.Existing == "" {
		c.showExisting(w, rows)
		return nil, errExisting
	}
	for _, r := range rows {
		lines = append(lines, r.row.leave(r.has))
	}
	return lines, nil
}

// leave returns the line of the file that leaves the row as it is.
func (e *entry) leave(has existing) jobLine {
	return jobLine{Row: e.id, Line: e.line, Name: e.name, Key: e.key, State: lineThere, Made: has.id}
}

// maxExistingShown bounds the rows of the table of what is there already.
const maxExistingShown = 10

// showExisting writes the rows for people, and what they can do.
func (c *Command) showExisting(w io.Writer, rows []thereRow) {
	fmt.Fprintf(w, "Diga has integrations with the name and template of new rows (%s):\n\n", rowCount(len(rows)))
	table := term.Table{{"THERE ALREADY", "LINE", "NAME", "CREATED"}}
	for _, r := range rows[:min(len(rows), maxExistingShown)] {
		created := ""
		if !r.has.created.IsZero() {
			created = r.has.created.Local().Format(time.DateTime)
		}
		table = append(table, []string{r.has.id, strconv.Itoa(int(r.row.line)), nameOf(r.row), created})
	}
	writeTable(w, table, len(rows))
	showOtherNames(w, rows[:min(len(rows), maxExistingShown)])
	fmt.Fprint(w, `
Nothing was sent: to copy these rows makes second integrations. Say which:
  --existing=skip  leaves what is there as it is, and copies only the other rows
  --existing=copy  copies these rows too; what is there stays at Diga too
`)
	if c.NewJob {
		fmt.Fprintln(w, "Without --new-job, the existing job is resumed.")
	} else {
		fmt.Fprintln(w, "If an earlier run made them, its job knows them best: --job names its file.")
	}
}

// maxOtherNames bounds the names that are shown beside those of the rows.
const maxOtherNames = 3

// showOtherNames writes the names of integrations that are not just those of their
// rows: they differ in case or blanks, or somebody changed them at Diga.
func showOtherNames(w io.Writer, rows []thereRow) {
	shown := 0
	for _, r := range rows {
		if r.row.name == "" || r.has.name == "" || r.has.name == r.row.name {
			continue
		}
		if shown++; shown > maxOtherNames {
			return
		}
		fmt.Fprintf(w, "line %d has the name %q at Diga\n", r.row.line, term.Cut(r.has.name, 40))
	}
}

// hold decides what happens to a row that is read only once, and is at Diga already.
// It returns the line of the file for it, if there is one.
func (c *Command) hold(e *entry, has existing) (line jobLine, ok bool) {
	if c.Existing == existingSkip {
		return e.leave(has), true
	}
	e.state, e.made = rowHeld, has.id
	return jobLine{}, false
}
