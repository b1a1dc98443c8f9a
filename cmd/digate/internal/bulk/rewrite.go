package bulk

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/digate/digate/cmd/digate/internal/file"
)

// writtenResults are results that a run wrote into a file.
type writtenResults struct {
	path    string
	format  string
	dialect dialect
	rows    []rowResult
}

// readResults reads the results in a file. It returns nil if there are none.
func readResults(path string) (*writtenResults, error) {
	if path == "" || !file.IsRegular(path) || !isResults(path) {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	r := &writtenResults{path: path}
	text, mark := decoded(f)
	r.dialect.mark = mark
	if first, err := text.Peek(1); err == nil && first[0] == '{' {
		r.format, err = "ndjson", r.readNDJSON(text)
		return r, err
	}
	r.format, err = "csv", r.readCSV(text)
	return r, err
}

func (r *writtenResults) readNDJSON(text *bufio.Reader) error {
	for dec := json.NewDecoder(text); ; {
		var res rowResult
		err := dec.Decode(&res)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.rows = append(r.rows, res)
	}
}

func (r *writtenResults) readCSV(text *bufio.Reader) error {
	head := []byte(resultColumns[0] + " ")
	if first, err := text.Peek(len(head)); err == nil {
		r.dialect.comma = rune(first[len(first)-1])
	}
	records := csv.NewReader(text)
	records.Comma, records.FieldsPerRecord = r.dialect.comma, len(resultColumns)
	header, err := records.Read()
	if err == nil && !slices.Equal(header, resultColumns) {
		err = errors.New("its columns are others")
	}
	for err == nil {
		var cells []string
		if cells, err = records.Read(); err != nil {
			break
		}
		var res rowResult
		if res, err = resultOfCells(cells); err == nil {
			r.rows = append(r.rows, res)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// resultOfCells returns the result of which a CSV file has the cells.
func resultOfCells(cells []string) (rowResult, error) {
	res := rowResult{Key: cells[0], Name: cells[1], IntegrationID: cells[4], Missing: cells[5], Message: cells[6], RequestID: cells[7], Reason: cells[8]}
	if cells[2] != "" {
		line, err := strconv.Atoi(cells[2])
		if err != nil {
			return res, fmt.Errorf("%q is no line", cells[2])
		}
		res.Line = line
	}
	for outcome, word := range words {
		if word == cells[3] {
			res.Outcome = outcome
			return res, nil
		}
	}
	return res, fmt.Errorf("%q is no result", cells[3])
}

// settle puts in what the job knows now of rows that were in doubt.
func (r *writtenResults) settle(j *job) {
	r.rows = slices.DeleteFunc(r.rows, func(res rowResult) bool {
		e := j.find(res.RequestID)
		return res.Outcome == rowUnknown && res.Line == 0 && e != nil && e.state == rowNone
	})
	for i := range r.rows {
		if e := j.find(r.rows[i].RequestID); e != nil && r.rows[i].Outcome == rowUnknown {
			r.rows[i].settled(e)
		}
	}
}

// write writes the results in the place of those that were read.
func (r *writtenResults) write() error {
	f, err := newWholeFile(r.path)
	if err != nil {
		return err
	}
	return replace(f, r.path, func(w io.Writer) error {
		write := newResultWriter(w, r.format, r.dialect)
		for _, res := range r.rows {
			if err := write(res); err != nil {
				return err
			}
		}
		return nil
	})
}

// settleResults puts what was settled into the results of the last run. It returns
// their path, which is empty if there are none.
func (c *Command) settleResults(j *job, say func(string)) (string, error) {
	path := c.resultsFile()
	r, err := readResults(path)
	if err != nil {
		say(fmt.Sprintf("%s is not as a run wrote it, and stays as it is: %v", path, err))
		return "", nil
	}
	if r == nil {
		return "", nil
	}
	r.settle(j)
	if err := r.write(); err != nil {
		return "", fmt.Errorf("%s cannot be written: %w.\nWhat was settled is not lost: the next run writes it", path, err)
	}
	return path, nil
}
