package crash

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/test/rig"
)

// The exit codes of `digate bulk` that this scene knows.
const (
	exitDone     = 0
	exitNotSent  = 3
	exitRejected = 4
	exitUnknown  = 5
)

// rerun bounds how often the command is run again by itself, without a kill.
const rerun = 50

// command is `digate bulk` on a file.
type command struct {
	addr, input, results, log string
}

// row is one of its results.
type row struct {
	Line          int
	RequestID     string `json:"request_id"`
	Outcome       string
	IntegrationID string `json:"integration_id"`
	Reason        string
}

// newCommand writes the copies to the command's input.
func newCommand(t *testing.T, s *scene, addr string, copies []item) *command {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	lines := [][]string{{"template_id", "name"}}
	for _, it := range copies {
		lines = append(lines, []string{it.parent, it.name})
	}
	if err := w.WriteAll(lines); err != nil {
		t.Fatal(err)
	}
	c := &command{addr, filepath.Join(s.dir, "items.csv"), filepath.Join(s.dir, "results.ndjson"), s.logFile("command")}
	if err := os.WriteFile(c.input, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// start runs the command. It is killed when the test ends.
func (c *command) start(t *testing.T) *rig.Process {
	t.Helper()
	path, err := digate()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the command has its own
	cmd := exec.Command(path, "bulk", c.input, "--results", c.results, "--addr", c.addr, "--progress", "plain")
	cmd.Env = append(rig.Environment(), "DIGATE_TOKEN="+token)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := rig.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// finish runs the command until only rows in doubt are left.
func (c *command) finish(t *testing.T) []row {
	t.Helper()
	for range rerun {
		r := c.start(t)
		<-r.Ended()
		switch code := r.State().ExitCode(); code {
		case exitDone, exitUnknown:
			rows := c.rows(t)
			if !slices.ContainsFunc(rows, func(r row) bool { return r.Outcome == "NOT_SENT" || r.Outcome == "REJECTED" }) {
				return rows
			}
		case exitNotSent, exitRejected:
		default:
			log, _ := os.ReadFile(c.log)
			t.Fatalf("digate bulk: exit code %d\n%s", code, log[max(0, len(log)-4000):])
		}
	}
	log, _ := os.ReadFile(c.log)
	t.Fatalf("digate bulk does not come to an end\n%s", log[max(0, len(log)-4000):])
	return nil
}

func (c *command) rows(t *testing.T) (rows []row) {
	t.Helper()
	b, err := os.ReadFile(c.results)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var r row
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		rows = append(rows, r)
	}
	return rows
}

// told returns what the results say of the copies. It sets the ids of the copies.
func told(t *testing.T, copies []item, rows []row) map[key][]telling {
	t.Helper()
	by := make(map[key][]telling)
	for _, r := range rows {
		i := r.Line - 2 // behind the header
		if i < 0 || i >= len(copies) {
			t.Fatalf("a result of line %d, of %d copies", r.Line, len(copies))
		}
		if copies[i].id != "" && copies[i].id != r.RequestID {
			t.Errorf("line %d has the id %s, and had %s", r.Line, r.RequestID, copies[i].id)
		}
		copies[i].id = r.RequestID
		says := telling{outcome: exchange.Unknown, reason: r.Reason}
		if r.Outcome == "DONE" || r.Outcome == "REPLAYED" {
			says = telling{outcome: exchange.Done, created: r.IntegrationID}
		}
		of := copies[i].key()
		by[of] = append(by[of], says)
	}
	return by
}

// Now `digate bulk` is killed, now its server, which others have create something
// meanwhile. Both are started again.
func TestCrash_CommandOrServerKilled_RunAgainFinishesTheRest(t *testing.T) {
	t.Parallel()
	s := newScene(t, "command")
	addr := rig.FreeAddr(t)
	args := []string{"--ledger", "sqlite:" + s.dir + "/ledger.db", "--grpc-addr", addr}
	s.serve(t, "a", args...)
	copies, creates := byKind(job(*items, "command"))
	for i := range copies {
		copies[i].id = "" // the command makes them
	}
	c := newCommand(t, s, addr, copies)
	others := []*client{s.client(creates, "a", "others")}
	r := c.start(t)
	_, wait := start(t, others)
	for round := range *rounds {
		if !s.sometime(r.Ended()) {
			break
		}
		if round%2 == 0 {
			s.kills++
			r.Kill()
			r = c.start(t)
		} else {
			s.kill("a")
			s.serve(t, "a", args...)
		}
	}
	<-r.Ended()
	wait()
	if s.kills == 0 {
		t.Fatal("nothing was killed")
	}
	all := slices.Concat(copies, creates)
	compare := func(rows []row, settled bool) map[key]record {
		said := told(t, copies, rows)
		copy(all, copies) // with their ids
		maps.Copy(said, others[0].report.told)
		return s.compare(t, "a", all, []map[key][]telling{said}, settled)
	}
	made, notMade := 0, 0
	for s.violations == 0 {
		again(t, others)
		records := compare(c.finish(t), false)
		m, n := s.settle(t, "a", all, records)
		if m+n == 0 {
			break
		}
		made, notMade = made+m, notMade+n
	}
	compare(c.rows(t), true)
	s.end(t)
	s.row(all, made, notMade)
}
