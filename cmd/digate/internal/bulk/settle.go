package bulk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
)

const (
	// mayTake is how long after a row was sent Diga may have made its integration.
	mayTake = 10 * time.Minute
	// clocksDiffer is how far the clocks of Diga and the ledger may be apart.
	clocksDiffer = time.Minute
	// maxCandidates bounds the candidates of a row that are shown.
	maxCandidates = 8
)

// doubt is a row in doubt.
type doubt struct {
	*entry
	// sent is when it was sent, by the ledger's clock. It is zero if the ledger has
	// forgotten the row.
	sent       time.Time
	candidates []*digatev1.Candidate
	match      *digatev1.Candidate // the only one of its name, and of its time
}

// settling settles the rows of a job that are in doubt.
type settling struct {
	job  *job
	conn *connection
	std  term.IO

	doubts        []*doubt
	taken         map[string]bool // integrations that were found to be rows'
	made, notMade int
}

// settle asks the person what became of the rows in doubt, and lets the ledger and
// the job know.
func (c *Command) settle(ctx context.Context, path string, std term.IO) error {
	j, err := resumeJob(path)
	if err == nil && j == nil {
		err = fmt.Errorf("there is no job in %s", term.Printable(path))
	}
	if err != nil {
		return err
	}
	defer func() { _ = j.close() }()
	if !slices.ContainsFunc(j.entries, func(e *entry) bool { return e.state == rowDoubt }) {
		_, err := fmt.Fprintln(std.Err, "no row of the job is in doubt")
		return err
	}
	s := &settling{job: j, std: std, taken: make(map[string]bool)}
	if s.conn, err = connect(ctx, c.Flags); err != nil {
		return notConnected(std.Err, err)
	}
	defer s.conn.close()
	ctx = metadata.NewOutgoingContext(ctx, s.conn.md)
	if err := j.resumable(s.conn.ledger, time.Now()); err != nil {
		return err
	}
	switch ok, err := j.isRemembered(ctx, s.conn); {
	case err != nil:
		return err
	case !ok:
		return errLedgerLost
	}
	if err := s.look(ctx); err != nil {
		return notConnected(std.Err, err)
	}
	err = s.settleMatching(ctx, c.Yes)
	if err == nil {
		err = s.settleOthers(ctx, c.Yes)
	}
	return errors.Join(err, s.end(c, path, err))
}

// look asks the ledger about each row in doubt.
func (s *settling) look(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxQuestions)
	for _, e := range s.job.entries {
		if e.state != rowDoubt {
			continue
		}
		d := &doubt{entry: e}
		s.doubts = append(s.doubts, d)
		g.Go(func() error { return s.lookAt(ctx, d) })
	}
	err := g.Wait()
	s.doubts = slices.DeleteFunc(s.doubts, func(d *doubt) bool {
		if d.isMade() {
			s.made++
		}
		if d.state == rowNone {
			s.notMade++
		}
		return d.state != rowDoubt
	})
	slices.SortFunc(s.doubts, func(a, b *doubt) int { return cmp.Compare(a.line, b.line) })
	return err
}

func (s *settling) lookAt(ctx context.Context, d *doubt) error {
	resp, err := s.getCopy(ctx, d.id.String())
	record := resp.GetCopy()
	switch {
	case status.Code(err) == codes.NotFound && s.job.promises[d.promise].expired(time.Now()):
		return nil // nobody knows
	case status.Code(err) == codes.NotFound:
		s.job.record(jobLine{Row: d.id, State: lineNone})
	case err != nil:
		return err
	case record.GetState() == digatev1.Copy_STATE_DONE:
		s.job.record(jobLine{Row: d.id, State: lineMade, Made: record.GetIntegrationId()})
	default:
		d.sent, d.candidates = record.GetClaimTime().AsTime(), record.GetCandidates()
	}
	return nil
}

// getCopy asks the ledger, which asks Diga. It waits if it is told to.
func (s *settling) getCopy(ctx context.Context, requestID string) (resp *digatev1.GetCopyResponse, err error) {
	for range maxTries {
		resp, err = s.getCopyOnce(ctx, requestID)
		e := apierror.FromError(err)
		if err == nil || e.RetryAfter == nil {
			return resp, err
		}
		sleep(ctx, min(max(*e.RetryAfter, firstWait), lastWait))
	}
	return resp, err
}

func (s *settling) getCopyOnce(ctx context.Context, requestID string) (*digatev1.GetCopyResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return s.conn.records.GetCopy(ctx, &digatev1.GetCopyRequest{RequestId: requestID})
}

// findMatches finds the rows with just one candidate of their name and time, which
// is no other row's.
func (s *settling) findMatches() (matching []*doubt) {
	rows, candidates := make(map[string]int), make(map[string]map[string]bool)
	for _, d := range s.doubts {
		rows[d.name]++
		for _, c := range d.candidates {
			if candidates[c.GetName()] == nil {
				candidates[c.GetName()] = make(map[string]bool)
			}
			candidates[c.GetName()][c.GetIntegrationId()] = true
		}
	}
	for _, d := range s.doubts {
		if d.name == "" || rows[d.name] != 1 || len(candidates[d.name]) != 1 {
			continue
		}
		for _, c := range d.candidates {
			after := c.GetCreateTime().AsTime().Sub(d.sent)
			if c.GetName() == d.name && c.GetCreateTime() != nil && after > -clocksDiffer && after < mayTake {
				d.match = c
				matching = append(matching, d)
				break
			}
		}
	}
	return matching
}

// settleMatching shows the rows that match, and settles them if the person agrees.
func (s *settling) settleMatching(ctx context.Context, yes bool) error {
	matching := s.findMatches()
	if len(matching) == 0 {
		return nil
	}
	table := term.Table{{"MADE, BY NAME AND TIME", "LINE", "NAME", "AFTER"}}
	for _, d := range matching {
		table = append(table, []string{d.match.GetIntegrationId(), strconv.Itoa(int(d.line)), nameOf(d.entry), s.after(d, d.match)})
	}
	columns := term.Columns(s.std.Err)
	if columns == 0 {
		columns = 79
	}
	if err := table.Write(s.std.Err, columns); err != nil {
		return err
	}
	if !yes {
		if s.std.CannotAsk() != nil {
			return client.WrongUsage(s.std.Err, errors.New("nobody can be asked here; --yes settles these rows without asking"))
		}
		reply, err := term.Ask(ctx, s.std, fmt.Sprintf("Settle for good that these integrations were made by the %s? [y/N] ", rowCount(len(matching))))
		if err != nil {
			return err
		}
		if reply != "y" && reply != "yes" {
			for _, d := range matching {
				d.match = nil
			}
			return nil
		}
	}
	for _, d := range matching {
		s.resolve(ctx, d, d.match.GetIntegrationId())
	}
	return nil
}

// after says how long after a row was sent a candidate was made.
func (s *settling) after(d *doubt, c *digatev1.Candidate) string {
	if c.GetCreateTime() == nil {
		return ""
	}
	return max(c.GetCreateTime().AsTime().Sub(d.sent), 0).Round(time.Second).String()
}

// settleOthers asks about each of the other rows.
func (s *settling) settleOthers(ctx context.Context, yes bool) error {
	for _, d := range s.doubts {
		if d.match != nil {
			continue
		}
		if yes || s.std.CannotAsk() != nil {
			return nil
		}
		if err := s.askOne(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// askOne shows a row and asks what became of it.
func (s *settling) askOne(ctx context.Context, d *doubt) error {
	d.candidates = slices.DeleteFunc(d.candidates, func(c *digatev1.Candidate) bool { return s.taken[c.GetIntegrationId()] })
	slices.SortStableFunc(d.candidates, func(a, b *digatev1.Candidate) int {
		return cmp.Or(-cmp.Compare(btoi(a.GetName() == d.name), btoi(b.GetName() == d.name)), a.GetCreateTime().AsTime().Compare(b.GetCreateTime().AsTime()))
	})
	shown := d.candidates[:min(len(d.candidates), maxCandidates)]
	fmt.Fprintf(s.std.Err, "\nline %d, %s, %s\n", d.line, term.Printable(nameOf(d.entry)), s.known(d))
	for i, c := range shown {
		fmt.Fprintf(s.std.Err, "  %d  %s  %5s  %s\n", i+1, term.Printable(c.GetIntegrationId()), s.after(d, c), term.Printable(term.Cut(c.GetName(), 30)))
	}
	if more := len(d.candidates) - len(shown); more > 0 {
		fmt.Fprintf(s.std.Err, "  and %d more\n", more)
	}
	question := "Its id if it was made, n if not, Enter to leave it: "
	if len(shown) > 0 {
		question = "Number or id of what it made, n for nothing, Enter to leave it: "
	}
	reply, err := term.Ask(ctx, s.std, question)
	if err != nil {
		return err
	}
	switch n, _ := strconv.Atoi(reply); {
	case n >= 1 && n <= len(shown):
		s.resolve(ctx, d, shown[n-1].GetIntegrationId())
	case uuid.Validate(reply) == nil:
		s.resolve(ctx, d, reply)
	case reply == "n" || reply == "no":
		sure, err := term.Ask(ctx, s.std, "Surely nothing? Then the next run makes it. [y/N] ")
		if err != nil {
			return err
		}
		if sure == "y" || sure == "yes" {
			s.resolve(ctx, d, "")
		}
	}
	return nil
}

func btoi(b bool) int { return map[bool]int{true: 1}[b] }

// known says what is known of a row.
func (s *settling) known(d *doubt) string {
	switch {
	case d.sent.IsZero():
		return "which the ledger has forgotten"
	case len(d.candidates) == 0:
		return "sent at " + stamp(d.sent) + "; Diga shows nothing"
	default:
		return "sent at " + stamp(d.sent)
	}
}

// resolve settles that a row made an integration, or nothing if id is empty.
func (s *settling) resolve(ctx context.Context, d *doubt, id string) {
	line := jobLine{Row: d.id, State: lineMade, Made: id}
	if id == "" {
		line = jobLine{Row: d.id, State: lineNone}
	}
	if !d.sent.IsZero() {
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		req := &digatev1.ResolveCopyRequest{RequestId: d.id.String(), Resolution: &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: id}}
		if id == "" {
			req.Resolution = &digatev1.ResolveCopyRequest_NotCreated{NotCreated: true}
		}
		if _, err := s.conn.records.ResolveCopy(ctx, req); err != nil {
			fmt.Fprintf(s.std.Err, "line %d, %s: not settled: %s\n", d.line, term.Printable(nameOf(d.entry)), term.Printable(status.Convert(err).Message()))
			return
		}
	}
	s.job.record(line)
	s.taken[id] = true
	if id == "" {
		s.notMade++
	} else {
		s.made++
	}
}

// end says what was settled. Rows that are left in doubt are the exit code's.
func (s *settling) end(c *Command, path string, why error) error {
	left := 0
	for _, d := range s.doubts {
		if d.state == rowDoubt {
			left++
		}
	}
	fmt.Fprintf(s.std.Err, "settled: %s made, %d not made; left in doubt: %d\n", rowCount(s.made), s.notMade, left)
	if s.job.broke != nil {
		return fmt.Errorf("%s cannot be written: %w", path, s.job.broke)
	}
	results, err := c.settleResults(s.job, func(text string) { fmt.Fprintln(s.std.Err, term.Printable(text)) })
	if err != nil {
		return err
	}
	if results != "" {
		fmt.Fprintf(s.std.Err, "results: %s\n", term.Printable(results))
	}
	if why != nil {
		return nil
	}
	switch {
	case s.notMade > 0:
		fmt.Fprintf(s.std.Err, "To make what was not made:\n  %s\n", term.Printable(c.again(path)))
	case results == "":
		fmt.Fprintf(s.std.Err, "To write the results:\n  %s\n", term.Printable(c.again(path)))
	}
	cannotAsk := s.std.CannotAsk()
	if left > 0 && !c.Yes && cannotAsk != nil {
		fmt.Fprintln(s.std.Err, cannotAsk)
	}
	if left > 0 && (c.Yes || cannotAsk != nil) {
		fmt.Fprintf(s.std.Err, "To settle the others, one by one, at a terminal:\n  %s\n", term.Printable(c.settleLine(path)))
	}
	if left > 0 {
		return client.ExitError(client.ExitUnknown)
	}
	return nil
}
