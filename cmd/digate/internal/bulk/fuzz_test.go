package bulk

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
)

// FuzzNDJSON reads any rows: each with a line of its own, and no error that quotes a
// secret.
func FuzzNDJSON(f *testing.F) {
	const secret = "hunter2S3cr3t"
	for _, s := range []string{
		`{"name":"a","variables":{"x":1}}` + "\n\n" + `{"key":"k","api_key_env":"E","variables_file":{"a":"f"}}`, "\ufeff{}\r\n[", "null", `{"api_key":"` + secret + `","api_key":"` + secret + `"}`,
		`{"api_key":` + secret + `}`, `{"api_key":["` + secret + `"]}`, `{"variables":{"p":"` + secret + `"}} x`, `{"x":1}`, `{"key":1}`, strings.Repeat(" ", 5000) + "{}",
	} {
		f.Add([]byte(s))
	}
	c, err := compileContract()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		in := &input{path: "-", std: term.IO{In: bytes.NewReader(content)}, format: "ndjson", template: clitest.TemplateID, varPrefix: "var.", contract: c}
		rows, err := in.open(t.Context(), new(job), discardWarning)
		if err != nil {
			return
		}
		last := 0
		for {
			next, err := rows.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatalf("what is in memory cannot be read: %v", err)
			}
			if next.line <= last {
				t.Fatalf("line %d behind line %d", next.line, last)
			}
			last = next.line
			quoted := bytes.Contains(content, []byte(`:"`+secret+`"`)) && bytes.Count(content, []byte(secret)) == bytes.Count(content, []byte(`:"`+secret+`"`))
			if next.err != nil && quoted && strings.Contains(next.err.Error(), secret) {
				t.Errorf("the error quotes a value: %v", next.err)
			}
		}
	})
}

// FuzzResults reads any file of results that an earlier run wrote.
func FuzzResults(f *testing.F) {
	columns := strings.Join(resultColumns, ",")
	f.Add([]byte(columns + "\nk,n,1,created,id,,,r,\n"))
	f.Add([]byte("\ufeff" + strings.ReplaceAll(columns, ",", ";") + "\r\n"))
	f.Add([]byte(columns + "\nk,n,x,?,id,,,r,\n\"" + "\n"))
	f.Add([]byte(`{"line":1,"request_id":"r","integration_id":"i","result":"created"}` + "\n{"))
	path := filepath.Join(f.TempDir(), "results")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := readResults(path)
		if r == nil || err != nil {
			return
		}
		for _, res := range r.rows {
			if r.format == "csv" && words[res.Outcome] == "" {
				t.Errorf("a row has the outcome %v", res.Outcome)
			}
		}
	})
}

// FuzzJob reads any file of a job: a job with an id and a promise for each of its rows, or
// an error.
func FuzzJob(f *testing.F) {
	f.Add([]byte(earlierJob))
	f.Add([]byte(strings.ReplaceAll(earlierJob, "\n", "") + "\n" + `{"row":"` + uuid.Max.String() + `","line":3,"state":"sent"}` + "\n" + `{"row":"` + uuid.Max.String() + `","state":"made","id":"i"}` + "\n{\n"))
	f.Add([]byte("{}"))
	f.Add([]byte("null\n"))
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(folder, "job")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := readJob(path)
		if err != nil {
			return
		}
		if j.ID == uuid.Nil || len(j.promises) == 0 {
			t.Errorf("got %+v", j)
		}
		for _, e := range j.entries {
			if int(e.promise) >= len(j.promises) || e.promise < 0 {
				t.Errorf("a row has promise %d of %d", e.promise, len(j.promises))
			}
		}
	})
}
