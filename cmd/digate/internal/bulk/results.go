package bulk

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/file"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/internal/durable"
)

// results takes the result of each row.
type results interface {
	// add takes a result. An error ends the run.
	add(res rowResult) error
	// end makes the results complete. It is called once, after the last result.
	end() error
	// where names the place of the results for people; empty is standard output.
	where() string
}

// dialect is how a CSV file is written.
type dialect struct {
	comma rune
	mark  bool // begins with a byte-order mark
}

// resultsPath returns where results go if nobody says so: beside the input. It is
// empty for standard output.
func resultsPath(input, format string) string {
	ext := filepath.Ext(input)
	switch formatOf(input) {
	case "":
		return input + ".results." + format
	default:
		return strings.TrimSuffix(input, ext) + ".results" + ext
	}
}

// resultsFile returns the file that the results of the last run are in. It is empty
// if they went to standard output.
func (c *Command) resultsFile() string {
	path := c.Results
	if path == "" && c.File != "-" {
		path = resultsPath(c.File, cmp.Or(c.Format, formatOf(c.File)))
	}
	if path == "-" {
		return ""
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

// openResults opens the place that results are written to, before anything is
// sent.
func (c *Command) openResults(stdout io.Writer, in *input, j *job) (results, error) {
	path, given := c.Results, c.Results != ""
	if !given && in.path != "-" {
		path = resultsPath(in.path, in.format)
	}
	format := c.ResultsFormat
	if format == "" {
		if format = formatOf(path); format == "" {
			format = "ndjson"
		}
	}
	if path == "" || path == "-" {
		return newStreamed(stdout, format, in.dialect, func() error { return nil }, ""), nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("--results: %w", err)
		}
		return newStreamed(f, format, in.dialect, f.Close, path), nil
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if info, err := os.Lstat(path); !given && err == nil && info.Size() > 0 && !isResults(path) {
		return nil, fmt.Errorf("%s is there and does not hold results of this command: --results names another file for them", path)
	}
	f, err := newWholeFile(path)
	if err != nil {
		return nil, fmt.Errorf("the results cannot be written beside the input: %w; --results names another file for them", err)
	}
	return &collected{path: path, format: format, dialect: in.dialect, f: f, job: j, kept: make(map[int]rowResult)}, nil
}

// isResults reports whether a file holds results.
func isResults(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	line, _ := bufio.NewReader(io.LimitReader(f, 4<<10)).ReadString('\n')
	line = strings.TrimPrefix(line, "\ufeff")
	return strings.HasPrefix(line, `{"line":`) ||
		strings.Contains(line, "request_id") && strings.Contains(line, "integration_id") && strings.Contains(line, "result")
}

// results returns where the results go by default. It is empty if that is standard
// output, or another place that was named.
func (c *Command) results(in *input) string {
	if c.Results != "" || in.path == "-" {
		return ""
	}
	return resultsPath(in.path, in.format)
}

// setResultsAside keeps the results of an earlier job, whose integrations no later
// file names.
func (c *Command) setResultsAside(in *input, say func(string)) error {
	path := c.results(in)
	if path == "" || !file.IsRegular(path) || !isResults(path) {
		return nil
	}
	aside, err := setAside(path)
	if aside != "" {
		say("the earlier results are kept in " + term.Printable(aside))
	}
	return err
}

// resultWriter writes one result and does not buffer it.
type resultWriter func(rowResult) error

func newResultWriter(w io.Writer, format string, d dialect) resultWriter {
	if format == "csv" {
		return csvResults(w, d)
	}
	return ndjsonResults(w)
}

// streamed writes each result when it is known.
type streamed struct {
	write resultWriter
	done  func() error
	path  string
}

func newStreamed(w io.Writer, format string, d dialect, done func() error, path string) *streamed {
	return &streamed{newResultWriter(w, format, d), done, path}
}

func (s *streamed) add(res rowResult) error { return s.write(res) }
func (s *streamed) end() error              { return s.done() }
func (s *streamed) where() string           { return s.path }

// wholeFile is a new file that takes the place of another one once it is whole.
type wholeFile interface {
	io.Writer
	Name() string
	Sync() error
	Close() error
}

// newWholeFile returns a file that can take the place of the one with the path.
func newWholeFile(path string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // O_EXCL and 0600
}

// replace writes a file, and lets it take the place of the one with the path. Until
// the new file is complete and durable, the old one stays.
func replace(f wholeFile, path string, write func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	buffered := bufio.NewWriter(f)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	_ = durable.SyncDir(filepath.Dir(path)) // the job has it all
	return nil
}

// collected writes all results at the end, in the order of the input, into a new
// file that takes the place of the one before. What earlier runs made comes from
// the job, so that nothing is lost.
type collected struct {
	path    string
	format  string
	dialect dialect
	f       wholeFile
	job     *job
	// kept are the results that the job does not know, by line.
	kept map[int]rowResult
}

func (c *collected) where() string { return c.path }

func (c *collected) add(res rowResult) error {
	if e := c.job.find(res.RequestID); e != nil && e.isMade() && res.Message == "" && res.Code == "" {
		return nil
	}
	c.kept[res.Line] = res
	return nil
}

// end writes the results.
func (c *collected) end() error {
	err := replace(c.f, c.path, func(w io.Writer) error { return c.each(newResultWriter(w, c.format, c.dialect)) })
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w.\nNothing is lost: run again once it can be, and nothing is sent twice", c.path, err)
	}
	return nil
}

// each calls write with the results in the order of the input. Rows that are gone
// from it come last.
func (c *collected) each(write resultWriter) error {
	lines := slices.Sorted(maps.Keys(c.kept))
	inOrder := slices.Clone(c.job.entries)
	slices.SortStableFunc(inOrder, func(a, b *entry) int { return cmp.Compare(a.line, b.line) })
	var gone []*entry
	forms := c.job.earlierForms()
	for _, e := range inOrder {
		switch {
		case !e.seen && e.mayBeMade() && !forms[e]:
			gone = append(gone, e)
			continue
		case !e.seen || !c.job.maker(e).isMade():
			continue
		}
		for ; len(lines) > 0 && lines[0] < int(e.line); lines = lines[1:] {
			if err := write(c.kept[lines[0]]); err != nil {
				return err
			}
		}
		if _, ok := c.kept[int(e.line)]; ok {
			continue
		}
		if err := write(c.job.fate(e)); err != nil {
			return err
		}
	}
	for _, line := range lines {
		if err := write(c.kept[line]); err != nil {
			return err
		}
	}
	for _, e := range gone {
		if err := write(c.job.fate(e)); err != nil {
			return err
		}
	}
	return nil
}

func ndjsonResults(w io.Writer) resultWriter {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	return func(r rowResult) error {
		b.Reset()
		if err := enc.Encode(r); err != nil {
			return err
		}
		_, err := io.WriteString(w, term.PrintableJSON(b.Bytes()))
		return err
	}
}

// resultColumns are the columns of results as CSV.
var resultColumns = []string{"key", "name", "line", "result", "integration_id", "missing", "message", "request_id", "reason"}

func csvResults(w io.Writer, d dialect) resultWriter {
	c := csv.NewWriter(w)
	if d.comma != 0 {
		c.Comma = d.comma
	}
	begun := false
	return func(r rowResult) error {
		if !begun {
			begun = true
			if d.mark {
				_, _ = io.WriteString(w, "\ufeff")
			}
			_ = c.Write(resultColumns)
		}
		line := ""
		if r.Line > 0 {
			line = strconv.Itoa(r.Line)
		}
		_ = c.Write([]string{plainCell(r.Key), plainCell(r.Name), line, words[r.Outcome], plainCell(r.IntegrationID), plainCell(r.Missing),
			plainCell(r.Message), r.RequestID, plainCell(r.Reason)})
		c.Flush()
		return c.Error()
	}
}

// plainCell returns a cell that no spreadsheet takes for a formula.
func plainCell(s string) string {
	s = term.Printable(s)
	if s != "" && strings.ContainsAny(s[:1], "=+-@\t\r") {
		return "'" + s
	}
	return s
}
