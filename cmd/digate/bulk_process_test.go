package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

// The reader of the results goes away (`| head`), or the process is killed. Then a
// row that was made is edited.
func TestBulk_ProcessEndsInTheMiddle_NothingIsMadeTwice(t *testing.T) {
	path := binary(t)
	for name, end := range map[string]func(p *rig.Process, hangUp func()){
		"the pipe closes": func(_ *rig.Process, hangUp func()) { hangUp() },
		"kill -9":         func(p *rig.Process, _ func()) { p.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			addr, e := stand(t)
			t.Chdir(t.TempDir())
			rows := make([]string, 300)
			for i := range rows {
				rows[i] = fmt.Sprintf("%s,Shop %d,s%d", clitest.TemplateID, i, i)
			}
			content := "template_id,name,var.shop\n" + strings.Join(rows, "\n") + "\n"
			if err := os.WriteFile("shops.csv", []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(path, "bulk", "shops.csv", "--addr", addr, "--results", "-", "--unfinished", "allow", "--concurrency", "2")
			cmd.Env = append(rig.Environment(), "DIGATE_TOKEN="+clitest.Token)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			p := new(process)
			cmd.Stderr = &p.err
			p.start(t, cmd)
			first, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatalf("%v\n%s", err, p.err.String())
			}
			end(p.Process, func() { _ = out.Close() })
			await.Value(t, p.Ended(), "the end of the process")
			if code := p.State().ExitCode(); name == "the pipe closes" && (code != client.ExitFailed || !strings.Contains(p.err.String(), "the results cannot be written")) {
				t.Errorf("exit code %d\n%s", code, p.err.String())
			}

			made := clitest.ResultsOf(t, first)
			for line := range made {
				edited := strings.Replace(content, fmt.Sprintf("Shop %d,", line-2), "Another,", 1)
				if err := os.WriteFile("shops.csv", []byte(edited), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := digate(t, "bulk", "shops.csv", "--addr", addr, "--unfinished", "allow"); got.Code != client.ExitNotSent || !strings.Contains(got.Err, "Another") {
				t.Errorf("edited: %+v", got)
			}
			if err := os.WriteFile("shops.csv", []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			got := digate(t, "bulk", "shops.csv", "--addr", addr, "--unfinished", "allow")
			if got.Code != client.ExitDone || !strings.Contains(got.Err, "300 rows in") {
				t.Errorf("%+v", got)
			}
			names := make(map[string]int)
			for _, in := range e.Integrations(clitest.Token) {
				names[in.Name]++
			}
			if len(names) != 300 || len(e.Integrations(clitest.Token)) != 300 {
				t.Errorf("%d integrations of %d names", len(e.Integrations(clitest.Token)), len(names))
			}
			b, err := os.ReadFile("shops.results.csv")
			if err != nil || strings.Count(string(b), "\n") != 301 {
				t.Errorf("%v, %d lines of results", err, strings.Count(string(b), "\n"))
			}
		})
	}
}
