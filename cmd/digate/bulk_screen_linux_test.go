package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
)

// person is somebody at a terminal, in a folder with a file of shops.
type person struct {
	t    *testing.T
	addr string
	e    *emulator.Emulator
}

func newPerson(t *testing.T) *person {
	t.Helper()
	addr, e := stand(t)
	t.Chdir(t.TempDir())
	t.Setenv("SHOP_KEY", clitest.APIKey)
	return &person{t, addr, e}
}

// write writes a file of shops.
func (p *person) write(name, content string) {
	p.t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// sees runs a command line, and compares what is on the screen with a golden file.
func (p *person) sees(screen string, code int, args ...string) {
	p.t.Helper()
	p.typing("", screen, code, args...)
}

func (p *person) typing(typed, screen string, code int, args ...string) {
	p.t.Helper()
	shown, got := clitest.Watch(p.t, typed, func(std term.IO) int {
		return run(context.WithoutCancel(p.t.Context()), append(args, "--addr", p.addr), std)
	})
	if got != code {
		p.t.Errorf("%s: exit code %d\n%s", screen, got, shown)
	}
	if strings.Contains(shown, "hunter2") {
		p.t.Errorf("%s shows a secret", screen)
	}
	clitest.Screen(p.t, screen, clitest.Steady(shown, clitest.TemplateID, clitest.NoTemplate, resetAfter))
}

// finds compares a file that a command wrote with a golden file.
func (p *person) finds(screen, name string) {
	p.t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		p.t.Fatal(err)
	}
	clitest.Scroll(p.t, screen, clitest.Steady(string(b), clitest.TemplateID, clitest.NoTemplate, resetAfter))
}

// made returns how many integrations have each name.
func (p *person) made() map[string]int {
	names := make(map[string]int)
	for _, in := range p.e.Integrations(clitest.Token) {
		names[in.Name]++
	}
	return names
}

// shops returns a file of shops with a header.
func shops(header string, rows ...string) string {
	return header + "\n" + strings.Join(rows, "\n") + "\n"
}

func shop(name, handle string) string {
	return fmt.Sprintf("%s,%s,%s,SHOP_KEY", clitest.TemplateID, name, handle)
}

const shopHeader = "template_id,name,var.shop,api_key_env"

// Somebody mends one shop's name and runs the file again.
func TestBulkScreen_RowWasCorrected_NothingIsMadeTwiceUntilThePersonSaysSo(t *testing.T) {
	p := newPerson(t)
	p.write("shops.csv", shops(shopHeader, shop("North", "north"), shop("Suoth", "south"), shop("East", "east")))
	p.sees("bulk-first", client.ExitDone, "bulk", "shops.csv")
	p.sees("bulk-again", client.ExitDone, "bulk", "shops.csv")
	p.write("shops.csv", shops(shopHeader, shop("North", "north"), shop("South", "south"), shop("East", "east"), shop("West", "west")))
	p.sees("bulk-changed", client.ExitNotSent, "bulk", "shops.csv")
	if got := fmt.Sprint(p.made()); got != "map[East:1 North:1 Suoth:1]" {
		t.Fatal(got)
	}
	p.sees("bulk-changed-skip", client.ExitDone, "bulk", "shops.csv", "--changed=skip")
	p.finds("bulk-changed-skip-results", "shops.results.csv")
	if got := fmt.Sprint(p.made()); got != "map[East:1 North:1 Suoth:1 West:1]" {
		t.Fatal(got)
	}
	// It was said once, and is not asked again.
	p.sees("bulk-again-after-skip", client.ExitDone, "bulk", "shops.csv")
	p.write("shops.csv", shops(shopHeader, shop("North", "north"), shop("South", "south"), shop("Far East", "east"), shop("West", "west")))
	p.sees("bulk-changed-copy", client.ExitDone, "bulk", "shops.csv", "--changed=copy")
	p.finds("bulk-changed-copy-results", "shops.results.csv")
	if got := fmt.Sprint(p.made()); got != "map[East:1 Far East:1 North:1 Suoth:1 West:1]" {
		t.Fatal(got)
	}
	// Without rows that changed since, copy is said of those that were skipped.
	p.sees("bulk-skipped-copy", client.ExitDone, "bulk", "shops.csv", "--changed=copy")
	if got := fmt.Sprint(p.made()); got != "map[East:1 Far East:1 North:1 South:1 Suoth:1 West:1]" {
		t.Fatal(got)
	}
}

// Somebody mended rows, removed one and added one, all over the file.
func TestBulkScreen_RowsChangedInEveryWay_AreShownInTheOrderOfTheFile(t *testing.T) {
	p := newPerson(t)
	p.write("shops.csv", shops(shopHeader, shop("Gone", "gone"), shop("North", "north"), shop("East", "east"), shop("Suoth", "south"), shop("Left", "left"), shop("West", "west")))
	if got := digate(t, "bulk", "shops.csv", "--addr", p.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	p.write("shops.csv", shops(shopHeader, shop("New", "new"), shop("North", "north2"), shop("East", "east"), shop("South", "south"), shop("West", "west2")))
	p.sees("bulk-changed-many", client.ExitNotSent, "bulk", "shops.csv")
}

// Somebody gets the file of 300 shops from a colleague, who has run it already.
func TestBulkScreen_RowsAreThereAlready_NothingIsMadeTwiceUntilThePersonSaysSo(t *testing.T) {
	p := newPerson(t)
	rows := make([]string, 300)
	for i := range rows {
		rows[i] = shop(fmt.Sprintf("Shop %d", i), fmt.Sprint("s", i))
	}
	p.write("a.csv", shops(shopHeader, rows...))
	if got := digate(t, "bulk", "a.csv", "--addr", p.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	p.write("shops.csv", shops(shopHeader, slices.Concat(rows, []string{shop("New", "new")})...))
	p.write("b.csv", shops(shopHeader, rows...))
	p.sees("bulk-elsewhere", client.ExitNotSent, "bulk", "b.csv")
	for _, name := range []string{"a.csv.digate-job", "a.results.csv"} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	p.sees("bulk-existing-dry-run", client.ExitNotSent, "bulk", "shops.csv", "--dry-run")
	p.sees("bulk-existing", client.ExitNotSent, "bulk", "shops.csv")
	if n := len(p.made()); n != 300 {
		t.Fatalf("%d were made", n)
	}
	p.sees("bulk-existing-skip", client.ExitDone, "bulk", "shops.csv", "--existing=skip")
	p.sees("bulk-existing-again", client.ExitDone, "bulk", "shops.csv")
	p.sees("bulk-new-job", client.ExitNotSent, "bulk", "shops.csv", "--new-job")
	for name, n := range p.made() {
		if n != 1 {
			t.Fatalf("%s was made %d times", name, n)
		}
	}
	b, err := os.ReadFile("shops.results.csv")
	if err != nil || strings.Count(string(b), ",there already,") != 300 {
		t.Errorf("%v\n%s", err, b)
	}
	p.sees("bulk-new-job-copy", client.ExitDone, "bulk", "shops.csv", "--new-job", "--existing=copy")
}

// An older copy of the job's file was put back, or the file was cut off.
func TestBulkScreen_JobIsOlderThanItsResults_TakesItsRowsFromThem(t *testing.T) {
	p := newPerson(t)
	p.write("shops.csv", shops(shopHeader, shop("North", "north"), shop("South", "south")))
	if got := digate(t, "bulk", "shops.csv", "--addr", p.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	job, err := os.ReadFile("shops.csv.digate-job")
	if err != nil {
		t.Fatal(err)
	}
	p.write("shops.csv.digate-job", string(job[:bytes.IndexByte(job, '\n')+1]))
	p.write("shops.csv", shops(shopHeader, shop("North", "north"), shop("Suoth", "south")))
	p.sees("bulk-older-job", client.ExitNotSent, "bulk", "shops.csv")
	if err := os.Remove("shops.csv.digate-job"); err != nil {
		t.Fatal(err)
	}
	p.sees("bulk-no-job", client.ExitFailed, "bulk", "shops.csv")
	if got := digate(t, "bulk", "shops.csv", "--addr", p.addr, "--new-job", "--existing=copy"); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	p.write("shops.csv.digate-job", string(job))
	p.sees("bulk-other-job", client.ExitNotSent, "bulk", "shops.csv")
}

// What a run would do is said without running.
func TestBulkScreen_DryRun_SaysWhatBecomesOfTheJob(t *testing.T) {
	p := newPerson(t)
	p.write("shops.csv", shops(shopHeader, shop("North", "north"), shop("South", "south")))
	p.sees("bulk-dry-run", client.ExitDone, "bulk", "shops.csv", "--dry-run")
	if got := digate(t, "bulk", "shops.csv", "--addr", p.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	p.write("shops.csv", shops(shopHeader, shop("North", "north"), shop("Suoth", "south"), shop("East", "east")))
	p.sees("bulk-dry-run-changed", client.ExitNotSent, "bulk", "shops.csv", "--dry-run")
	p.sees("bulk-dry-run-skip", client.ExitDone, "bulk", "shops.csv", "--dry-run", "--changed=skip")
	p.sees("bulk-dry-run-new-job", client.ExitNotSent, "bulk", "shops.csv", "--dry-run", "--new-job")
	if got := fmt.Sprint(p.made()); got != "map[North:1 South:1]" {
		t.Fatal(got)
	}
}

// misspelt is a file of 300 shops with a misspelt column.
func misspelt() string {
	rows := make([]string, 300)
	for i := range rows {
		rows[i] = shop(fmt.Sprintf("Shop %d", i), fmt.Sprint("s", i))
	}
	return shops("template_id,name,var.shopp,api_key_env", rows...)
}

func TestBulkScreen_ColumnIsMisspelt_NothingIsMade(t *testing.T) {
	p := newPerson(t)
	p.write("shops.csv", misspelt())
	p.sees("bulk-misspelt-dry-run", client.ExitNotSent, "bulk", "shops.csv", "--dry-run")
	p.sees("bulk-misspelt", client.ExitNotSent, "bulk", "shops.csv")
	p.write("few.csv", shops(shopHeader, shop("North", "north"), clitest.TemplateID+",South,,SHOP_KEY", clitest.TemplateID+",East,east,", clitest.NoTemplate+",West,west,SHOP_KEY"))
	p.sees("bulk-unfinished", client.ExitNotSent, "bulk", "few.csv")
	if n := len(p.made()); n != 0 {
		t.Fatalf("%d were made", n)
	}
	p.sees("bulk-unfinished-keep-going", client.ExitRejected, "bulk", "few.csv", "--keep-going")
	p.finds("bulk-unfinished-keep-going-results", "few.results.csv")
	if got := fmt.Sprint(p.made()); got != "map[North:1]" {
		t.Fatal(got)
	}
	p.write("few.csv", shops(shopHeader, shop("North", "north"), clitest.TemplateID+",South,,SHOP_KEY", clitest.TemplateID+",East,east,"))
	p.sees("bulk-unfinished-allow", client.ExitDone, "bulk", "few.csv", "--unfinished=allow")
	b, err := os.ReadFile("few.results.csv")
	if err != nil || !strings.Contains(string(b), ",South,3,made,") || !strings.Contains(string(b), ",<<shop>>,") || !strings.Contains(string(b), ",api key,") {
		t.Errorf("%v\n%s", err, b)
	}
}

// The file of somebody with a Spanish Excel, who saved it as Windows-1252.
func TestBulkScreen_FileOfASpreadsheet_SaysOnceWhatIsWrong(t *testing.T) {
	p := newPerson(t)
	rows := make([]string, 30)
	for i := range rows {
		rows[i] = fmt.Sprintf("%s;Peluquer\xeda %d;s%d;SHOP_KEY", clitest.TemplateID, i, i)
	}
	rows[7] = clitest.TemplateID + ";Bar"
	rows[9] = clitest.TemplateID + ";Bar 2;5,1E+12;SHOP_KEY"
	p.write("shops.csv", shops("Template ID;Name;var.shop;api_key_env", rows...))
	p.sees("bulk-latin-1", client.ExitUsage, "bulk", "shops.csv")
	p.write("shops.xlsx", "PK\x03\x04")
	p.sees("bulk-workbook", client.ExitUsage, "bulk", "shops.xlsx")
}

// withoutBreaker returns the address of a digate that never leaves its upstream alone.
func withoutBreaker(t *testing.T, e *emulator.Emulator) string {
	t.Helper()
	upstream := httptest.NewServer(e)
	t.Cleanup(upstream.Close)
	s := facadeOf(t, upstream.URL, func(c *config.Config) { c.Upstream.BreakerDelay = 0 })
	t.Cleanup(e.Close)
	return s.GRPCAddr().String()
}

// Diga's responses to 15 of 20 rows got lost, and to two of one name.
func TestBulkScreen_RowsInDoubt_AreSettledWithOneQuestionAndTheRest(t *testing.T) {
	p := newPerson(t)
	p.addr = withoutBreaker(t, p.e)
	var rows []string
	for i := range 18 {
		template := resetAfter
		if i%5 == 0 {
			template = clitest.TemplateID
		}
		rows = append(rows, fmt.Sprintf("%s,Shop %02d,s%d,SHOP_KEY", template, i, i))
	}
	rows = append(rows, resetAfter+",Twin,a,SHOP_KEY", resetAfter+",Twin,b,SHOP_KEY")
	p.write("shops.csv", shops(shopHeader, rows...))
	p.sees("bulk-doubts", client.ExitUnknown, "bulk", "shops.csv", "--concurrency", "1")
	p.sees("bulk-doubts-no", client.ExitUnknown, "bulk", "shops.csv", "--settle", "--yes")
	p.typing("1\nn\nn\n", "bulk-doubts-rest", client.ExitUnknown, "bulk", "shops.csv", "--settle")
	if got := digate(t, "bulk", "shops.csv", "--settle", "--addr", p.addr); got.Code != client.ExitUsage || !strings.Contains(got.Err, "--yes settles these rows without asking") {
		t.Errorf("without a terminal: %+v", got)
	}
	p.sees("bulk-doubts-left", client.ExitUnknown, "bulk", "shops.csv")
	p.typing("n\nn\ny\n", "bulk-doubts-not-made", client.ExitDone, "bulk", "shops.csv", "--settle")
	p.write("shops.csv", strings.ReplaceAll(shops(shopHeader, rows...), resetAfter+",Twin,b", clitest.TemplateID+",Twin,b"))
	p.sees("bulk-doubts-settled", client.ExitDone, "bulk", "shops.csv")
	for name, n := range p.made() {
		if n != 1 && name != "Twin" || n > 3 { // the person said that nothing was made
			t.Errorf("%s was made %d times", name, n)
		}
	}
}

// Nothing can be read, and so nothing was sent.
func TestBulkScreen_NothingToReadOrToSendTo_SaysSo(t *testing.T) {
	p := newPerson(t)
	p.sees("bulk-no-file", client.ExitUsage, "bulk", "shps.csv")
	p.write("shops.csv", shops(shopHeader, shop("North", "north")))
	p.addr = "127.0.0.1:1"
	p.sees("bulk-no-server", client.ExitNotSent, "bulk", "shops.csv")
	p.sees("bulk-no-server-dry-run", client.ExitNotSent, "bulk", "shops.csv", "--dry-run")
}

// Diga fails at a template with a 500, and says no more than that.
func TestBulkScreen_DigaFails_SaysWhatBecomesOfTheRows(t *testing.T) {
	p := newPerson(t)
	const fails = "00000000-0000-4000-8000-000000000500"
	p.write("shops.csv", shops(shopHeader, shop("North", "north"), clitest.TemplateID+",East", fails+",South,south,SHOP_KEY"))
	p.sees("bulk-fails-dry-run", client.ExitUsage, "bulk", "shops.csv", "--dry-run")
	p.sees("bulk-fails", client.ExitUnknown, "bulk", "shops.csv", "--keep-going")
	p.finds("bulk-fails-results", "shops.results.csv")
}
