package bulk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/cmd/digate/internal/term"
	digatev1 "github.com/digate/digate/gen/digate/v1"
)

// changes are the differences between an input and the rows that a job sent.
type changes struct {
	changed []changedRow
	// gone are rows that the input does not have any more, and that have or may
	// have an integration.
	gone []*entry
	// unsure are new rows, each of which may be a row that is gone in another form.
	unsure []*entry
}

// any reports whether somebody has to say what happens to rows.
func (ch *changes) any() bool { return len(ch.changed)+len(ch.unsure) > 0 }

// changedRow is a row in its earlier and its present form, of which one may be nil.
type changedRow struct{ was, is *entry }

// findChanges compares the input, all of which was read, with what the job sent.
// Rows are taken for the same row if they have one key, or one that a spreadsheet
// wrote in another way, else one name that no other has, else one line.
func (j *job) findChanges() changes {
	var ch changes
	if !j.knowsRows() {
		return ch
	}
	var gone, fresh []*entry
	taken := j.earlierForms()
	for _, e := range j.entries {
		switch {
		case j.isFresh(e):
			fresh = append(fresh, e)
		case e.isGone() && !taken[e]:
			gone = append(gone, e)
		}
	}
	if len(gone) == 0 || len(fresh) == 0 {
		ch.gone = gone
		return ch
	}
	for _, by := range []struct {
		text func(*entry) string
		// any says that the keys may differ.
		any bool
	}{
		{text: func(e *entry) string { return e.key }},
		{text: func(e *entry) string { return likeKey(e.key) }, any: true},
		{text: func(e *entry) string { return likeName(e.name) }, any: true},
		{text: func(e *entry) string { return strconv.Itoa(int(e.line)) }},
	} {
		var pairs []changedRow
		pairs, gone, fresh = pair(gone, fresh, by.text, by.any)
		ch.changed = append(ch.changed, pairs...)
	}
	ch.gone = gone
	for _, e := range fresh {
		// A key that no earlier row had is another row's.
		if len(gone) > 0 && e.key == "" {
			ch.unsure = append(ch.unsure, e)
		}
	}
	return ch
}

// pair finds the rows of which only one on each side has a text. Unless anyKey is set,
// rows with different keys are not the same. It returns the rest of both sides too.
func pair(gone, fresh []*entry, text func(*entry) string, anyKey bool) (pairs []changedRow, goneLeft, freshLeft []*entry) {
	unique := func(entries []*entry) map[string]*entry {
		by := make(map[string]*entry)
		for _, e := range entries {
			if _, again := by[text(e)]; again {
				by[text(e)] = nil
			} else {
				by[text(e)] = e
			}
		}
		delete(by, "")
		return by
	}
	was, paired := unique(gone), make(map[*entry]bool)
	is := unique(fresh)
	for _, e := range fresh {
		t := text(e)
		if g := was[t]; g != nil && is[t] == e && (anyKey || g.key == e.key || g.key == "" || e.key == "") {
			pairs = append(pairs, changedRow{g, e})
			paired[g], paired[e] = true, true
		}
	}
	left := func(entries []*entry) (rest []*entry) {
		for _, e := range entries {
			if !paired[e] {
				rest = append(rest, e)
			}
		}
		return rest
	}
	return pairs, left(gone), left(fresh)
}

// fresh reports whether the input has rows that the job does not know.
func (j *job) fresh() bool {
	return slices.ContainsFunc(j.entries, j.isFresh)
}

// askAboutGone asks the ledger what became of rows that are gone from the input
// and may have been sent. A row that the ledger does not know was not made, as
// long as the ledger keeps its promise.
func (j *job) askAboutGone(ctx context.Context, conn *connection, now promise) error {
	if !j.knowsRows() {
		return nil
	}
	var gone []*entry
	for _, e := range j.entries {
		if e.isGone() && !e.isMade() && !j.promises[e.promise].expired(now.Created) {
			gone = append(gone, e)
		}
	}
	lines, err := askAbout(ctx, conn, gone)
	for _, line := range lines {
		j.record(line)
	}
	if err != nil {
		return fmt.Errorf("what became of rows that are gone from the file cannot be asked, so nothing was sent: %w", describeFailure(err))
	}
	return nil
}

// askAbout asks the ledger what became of rows. It returns the lines of the file that
// say so. A row that is under way has no line.
func askAbout(ctx context.Context, conn *connection, rows []*entry) (lines []jobLine, err error) {
	g, ctx := errgroup.WithContext(metadata.NewOutgoingContext(ctx, conn.md))
	g.SetLimit(maxQuestions)
	found := make([]jobLine, len(rows))
	for i, e := range rows {
		g.Go(func() (err error) {
			found[i], err = ask(ctx, conn, e)
			return err
		})
	}
	err = g.Wait()
	return slices.DeleteFunc(found, func(line jobLine) bool { return line.Row == uuid.Nil }), err
}

// maxQuestions bounds the questions to the ledger at a time.
const maxQuestions = 16

// ask asks the ledger what became of a row.
func ask(ctx context.Context, conn *connection, e *entry) (jobLine, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	resp, err := conn.records.GetCopy(ctx, &digatev1.GetCopyRequest{RequestId: e.id.String()})
	switch {
	case status.Code(err) == codes.NotFound:
		return jobLine{Row: e.id, State: lineNone}, nil
	case err != nil:
		return jobLine{}, err
	case resp.GetCopy().GetState() == digatev1.Copy_STATE_DONE:
		return jobLine{Row: e.id, State: lineMade, Made: resp.GetCopy().GetIntegrationId()}, nil
	case resp.GetCopy().GetState() == digatev1.Copy_STATE_UNKNOWN:
		return jobLine{Row: e.id, State: lineDoubt}, nil
	}
	return jobLine{}, nil // it is under way
}

// The values of --changed.
const (
	changedCopy = "copy"
	changedSkip = "skip"
)

var errChanged = errors.New("rows were changed")

// decide returns the lines of the file that say what happens to changed rows. It
// returns errChanged, and shows them, if nobody said so.
func (c *Command) decide(w io.Writer, ch changes) ([]jobLine, error) {
	if !ch.any() {
		return nil, nil
	}
	if c.Changed == "" {
		ch.show(w)
		return nil, errChanged
	}
	var lines []jobLine
	for _, pair := range ch.changed {
		if c.Changed == changedSkip {
			lines = append(lines, jobLine{Row: pair.is.id, Line: pair.is.line, Name: pair.is.name, Key: pair.is.key, As: pair.was.id})
		} else {
			lines = append(lines, jobLine{Row: pair.was.id, State: lineDropped, By: pair.is.id})
		}
	}
	for _, e := range ch.gone {
		lines = append(lines, jobLine{Row: e.id, State: lineDropped})
	}
	return lines, nil
}

// maxChangesShown bounds the rows of the table of changes.
const maxChangesShown = 12

// show writes the changes for people, in the order of the lines.
func (ch *changes) show(w io.Writer) {
	var shown []changedRow
	shown = append(shown, ch.changed...)
	for _, e := range ch.gone {
		shown = append(shown, changedRow{was: e})
	}
	for _, e := range ch.unsure {
		shown = append(shown, changedRow{is: e})
	}
	slices.SortStableFunc(shown, func(a, b changedRow) int { return cmp.Compare(a.line(), b.line()) })
	fmt.Fprintf(w, "The file has changed since the job sent it (%s):\n\n", rowCount(len(shown)))
	table := term.Table{{"MADE BEFORE", "LINE", "WAS", "IS NOW"}}
	for _, row := range shown[:min(len(shown), maxChangesShown)] {
		table = append(table, row.cells())
	}
	writeTable(w, table, len(shown))
	fmt.Fprint(w, `
Nothing was sent: to copy a changed row makes a second integration. Say which:
  --changed=skip  leaves what was made as it is, and copies only the other rows
  --changed=copy  copies each changed row again; what was made stays at Diga too
A column "key" tells a row by its key, whatever else changes in it.
`)
}

// line returns the line of the row, in the present file if it is there.
func (row changedRow) line() int32 {
	if row.is != nil {
		return row.is.line
	}
	return row.was.line
}

// cells returns the row for the table of changes.
func (row changedRow) cells() []string {
	cells := []string{"-", strconv.Itoa(int(row.line())), "(new to the job)", "(gone)"}
	if row.was != nil {
		cells[0], cells[2] = cmp.Or(row.was.made, words[row.was.outcome()]), nameOf(row.was)
	}
	if row.is != nil {
		cells[3] = nameOf(row.is)
		if row.was != nil && cells[3] == cells[2] {
			cells[3] = "(other values)"
		}
	}
	return cells
}

// writeTable writes a table whose rows are the first of so many.
func writeTable(w io.Writer, table term.Table, of int) {
	columns := term.Columns(w)
	if columns == 0 {
		columns = 79
	}
	_ = table.Write(w, columns)
	if more := of - (len(table) - 1); more > 0 {
		fmt.Fprintf(w, "and %s more\n", rowCount(more))
	}
}

func nameOf(e *entry) string {
	switch {
	case e.key != "" && e.name != "":
		return e.key + " " + e.name
	case e.key+e.name != "":
		return e.key + e.name
	default:
		return "(no name)"
	}
}

// compare finds rows that were changed since the job sent them. It returns the lines
// of the file that say what happens to them.
func (c *Command) compare(ctx context.Context, j *job, conn *connection, now promise, p *progress) ([]jobLine, error) {
	if c.copiesSkipped(j) {
		return c.unskip(j), nil
	}
	if !j.fresh() {
		return nil, nil
	}
	if err := j.askAboutGone(ctx, conn, now); err != nil {
		return nil, err
	}
	lines, err := c.decide(p.w, j.findChanges())
	for _, line := range lines {
		j.take(line) // nothing is sent before the file has it too
	}
	return lines, err
}

// copiesSkipped reports whether the flags say that rows of the input are copied that
// an earlier run skipped. While there are rows that no run sent, or that may be under
// way, the flags speak of those.
func (c *Command) copiesSkipped(j *job) bool {
	skipped := false
	for _, e := range j.entries {
		if j.isFresh(e) || e.seen && e.state == rowOpen {
			return false
		}
		skipped = skipped || c.unskips(j, e)
	}
	return skipped
}

// unskips reports whether the flags say that a row is copied that may have been skipped.
func (c *Command) unskips(j *job, e *entry) bool {
	return e.seen && (c.Changed == changedCopy && !j.makesItself(e) || c.Existing == existingCopy && e.state == rowThere)
}

// unskip makes the skipped rows of the input rows to copy. It returns the lines of
// the file that leave their earlier forms alone.
func (c *Command) unskip(j *job) (lines []jobLine) {
	for _, e := range j.entries {
		switch {
		case !c.unskips(j, e):
		case e.state == rowThere:
			e.state, e.made = rowNew, ""
		default:
			lines = append(lines, jobLine{Row: e.other, State: lineDropped, By: e.id})
			e.decision = undecided
		}
	}
	for _, line := range lines {
		j.take(line)
	}
	return lines
}
