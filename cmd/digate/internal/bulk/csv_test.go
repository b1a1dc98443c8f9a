package bulk

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
)

// readRows reads all rows of a CSV text.
func readRows(t testing.TB, content []byte) (all []*row, notes []string, err error) {
	t.Helper()
	c, err := compileContract()
	if err != nil {
		t.Fatal(err)
	}
	in := &input{path: "-", std: term.IO{In: bytes.NewReader(content)}, format: "csv", template: clitest.TemplateID, varPrefix: "var.", contract: c}
	rows, err := in.open(t.Context(), new(job), discardWarning)
	if err != nil {
		return nil, nil, err
	}
	for {
		next, err := rows.next()
		if errors.Is(err, io.EOF) {
			var found findings
			rows.end(&found)
			return all, found.notes, nil
		}
		if err != nil {
			return all, nil, err
		}
		all = append(all, next)
	}
}

func encoded(t *testing.T, e encoding.Encoding, text string) string {
	t.Helper()
	b, err := e.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCSV_AsSpreadsheetsWriteIt_IsRead(t *testing.T) {
	t.Parallel()
	excel := "name;var.shop\r\nPeluquería Ñ;\"a;b\"\r\nDos;b\r\n"
	for name, content := range map[string]string{
		"commas":                   "name,var.shop\nPeluquería Ñ,a;b\nDos,b\n",
		"semicolons, of a Spanish": excel,
		"tabs":                     "name\tvar.shop\nPeluquería Ñ\ta;b\nDos\tb\n",
		"tabs that end the header": "name\tvar.shop\t\t\nPeluquería Ñ\ta;b\t\t\nDos\tb\t\t\n",
		"a line sep=":              "sep=;\r\n" + excel,
		"a line Sep=, with tabs":   "Sep=\t\nname\tvar.shop\nPeluquería Ñ\ta;b\nDos\tb\n",
		"a byte-order mark":        "\ufeff" + excel,
		"a mark and a line sep=":   "\ufeffsep=;\n" + excel,
		"UTF-16LE":                 encoded(t, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), excel),
		"UTF-16BE":                 encoded(t, unicode.UTF16(unicode.BigEndian, unicode.UseBOM), "sep=;\n"+excel),
		"case and blanks":          " Name ; VAR.shop\nPeluquería Ñ;a;b\nDos;b\n"[:16] + "\nPeluquería Ñ;\"a;b\"\nDos;b\n",
		"empty rows and lines":     "\nname;var.shop;\n;;\n\nPeluquería Ñ;\"a;b\";\n ;;\nDos;b;\n;;\n",
		"an empty column":          "name;;var.shop\nPeluquería Ñ;;\"a;b\"\nDos;;b\n",
		"empty cells too many":     "name;var.shop\nPeluquería Ñ;\"a;b\";;;\nDos;b;\n",
		"no line end at the end":   strings.TrimRight(excel, "\r\n"),
	} {
		rows, notes, err := readRows(t, []byte(content))
		if err != nil || len(rows) != 2 || rows[0].err != nil || rows[1].err != nil || len(notes) > 0 {
			t.Errorf("%s: %v, %d rows, %q", name, err, len(rows), notes)
			continue
		}
		for i, want := range [][2]string{{"Peluquería Ñ", "a;b"}, {"Dos", "b"}} {
			if got := rows[i].copy; got.GetName() != want[0] || got.GetVariables().GetFields()["shop"].GetStringValue() != want[1] {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
}

// A name may be anything, but what is wrong has its own line.
func TestCSV_LineNumbers_AreThoseOfTheFile(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", maxRow)
	content := "sep=,\n\nname,var.x\n\n\"a\nb\nc\",1\n,\nd,2,3\n" + large + ",1\n\"e\n" + large + "\",1\nf,\"1\"2\ng,1\nh\xff,2\ni,1\n"
	rows, notes, err := readRows(t, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		text := "ok"
		if r.err != nil {
			text = r.err.Error()
		}
		got = append(got, fmt.Sprintf("%d %s", r.line, text))
	}
	want := []string{"5 ok", "9 3 cells, the header has 2", "10 " + errRowTooLarge.Error(), "11 " + errRowTooLarge.Error(), "13 a quote is missing or misplaced", "14 ok", "15 name is not UTF-8", "16 ok"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if rows[0].copy.GetName() != "a\nb\nc" || len(notes) != 2 || !strings.Contains(notes[1], `"CSV UTF-8"`) {
		t.Errorf("%v, %q", rows[0].copy, notes)
	}
}

func TestCSV_WhatASpreadsheetDidToNumbers_IsSaid(t *testing.T) {
	t.Parallel()
	rows, notes, err := readRows(t, []byte("name;var.a;var.b;var.c:json\n1e9 shops;1,5E+12;00123;1.5e3\nx;2.25e+9;124;1\nNO-1E2;E5;7;2\n"))
	if err != nil {
		t.Fatal(err)
	}
	var doubts []string
	for _, r := range rows {
		for _, doubt := range r.doubts {
			doubts = append(doubts, fmt.Sprintf("%d %.5s", r.line, doubt))
		}
	}
	if got := strings.Join(doubts, "|"); got != "2 var.a|3 var.a" {
		t.Errorf("got %s", got)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "var.b: a spreadsheet may have removed zeros, in line 3 for one") {
		t.Errorf("%q", notes)
	}
}

func TestCSV_HeaderThatIsWrong_SaysWhatWasMeant(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"nmae,var.x\n":          `unknown column "nmae"; did you mean name?`,
		"name;Shop handle\n":    `unknown column "Shop handle"; the value of a placeholder Shop handle is in a column var.Shop handle`,
		"Template ID;name;name": `the column "name" is there twice`,
		"name,n\xf1\n":          `the header row is not UTF-8: save it in the spreadsheet as "CSV UTF-8"`,
		"\"name\n":              "the header row: a quote is missing or misplaced",
		"PK\x03\x04":            `save its sheet as "CSV UTF-8"`,
	} {
		if _, _, err := readRows(t, []byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", content, err, want)
		}
	}
	if _, _, err := readRows(t, []byte("name,\na,b\n")); err != nil {
		t.Error(err)
	}
	latin, err := charmap.Windows1252.NewEncoder().String("name\nPeluquería\n")
	if err != nil {
		t.Fatal(err)
	}
	if rows, notes, err := readRows(t, []byte(latin)); err != nil || rows[0].err == nil || len(notes) != 2 {
		t.Errorf("%v, %q", err, notes)
	}
}

func TestBulk_Workbook_IsSaidInOneLine(t *testing.T) {
	for name, what := range map[string]string{"shops.xlsx": "an Excel workbook", "shops.ods": "an OpenDocument spreadsheet", "shops.csv": "a workbook or an archive, not CSV"} {
		file := clitest.WriteFile(t, name, "PK\x03\x04\x14\x00")
		got := digate(t, "bulk", file, "--dry-run")
		if got.Code != client.ExitUsage || !strings.Contains(got.Err, name+" is "+what+`: save its sheet as "CSV UTF-8"`) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// The results are in the dialect of the input, so that the same program opens them.
func TestBulk_Results_AreInTheDialectOfTheInput(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "shops.csv", "\ufeffname;template_id;key\r\n=1+1;"+clitest.TemplateID+";@k\r\n")
	if got := clitest.RunWith(t, runCommand, "", "bulk", file, "--addr", s.addr); got.Code != client.ExitDone || !strings.Contains(got.Err, "shops.results.csv") {
		t.Fatalf("%+v", got)
	}
	got := string(read(t, strings.TrimSuffix(file, ".csv")+".results.csv"))
	if !strings.HasPrefix(got, "\ufeffkey;name;line;result;integration_id;") || !strings.Contains(got, "\n'@k;'=1+1;2;made;of-") {
		t.Errorf("%q", got)
	}
}

// FuzzCSV_AnyBytes_EveryRowHasALineOfItsOwn reads anything.
func FuzzCSV_AnyBytes_EveryRowHasALineOfItsOwn(f *testing.F) {
	for _, seed := range []string{
		"name,var.x\na,1\n", "sep=;\nname;var.x\r\n\"a\"\"b\nc\";1\n", "\xff\xfen\x00a\x00m\x00e\x00\n\x00a\x00\n\x00", "name\tkey\n\"\t\n", "name\n\"a\"b\n\n;\n", "\ufeffname|x\n1|2\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		rows, _, err := readRows(t, content)
		if err != nil {
			return
		}
		last := 1
		for _, r := range rows {
			if r.line <= last {
				t.Fatalf("line %d behind line %d of %q", r.line, last, content)
			}
			last = r.line
		}
		if lines := bytes.Count(content, []byte("\n")) + 1; last > lines && !bytes.HasPrefix(content, []byte{0xff}) && !bytes.HasPrefix(content, []byte{0xfe}) {
			t.Fatalf("line %d of %d", last, lines)
		}
	})
}

// FuzzCSV_EveryDialect_IsTheSame reads what a writer wrote in each dialect.
func FuzzCSV_EveryDialect_IsTheSame(f *testing.F) {
	f.Add("a", "b", "c;d\t,|\"\n", "e")
	f.Add("", "\"", "'", " x ")
	f.Add("=1", "\r\nx", "ñ", "sep=")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		cells := []string{a, b, c, d}
		for i, cell := range cells {
			// A reader of CSV makes one line end of both.
			cells[i] = strings.ToValidUTF8(strings.ReplaceAll(cell, "\r", ""), "")
		}
		if strings.TrimSpace(cells[0]+cells[1]) == "" || strings.TrimSpace(cells[2]+cells[3]) == "" || strings.Contains(a+b+c+d, "\ufeff") {
			return // an empty row
		}
		for _, comma := range commas {
			var text bytes.Buffer
			w := csv.NewWriter(&text)
			w.Comma = comma
			_ = w.WriteAll([][]string{{"name", "base_url"}, cells[:2], cells[2:]})
			utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes(text.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			for _, content := range [][]byte{text.Bytes(), append([]byte("\ufeffsep="+string(comma)+"\n"), text.Bytes()...), utf16} {
				rows, _, err := readRows(t, content)
				if err != nil || len(rows) != 2 {
					t.Fatalf("%v, %d rows of %q", err, len(rows), content)
				}
				for i, r := range rows {
					if r.err != nil || r.copy.GetName() != cells[2*i] || r.copy.GetBaseUrl() != cells[2*i+1] {
						t.Fatalf("%v, %q, %q of %q", r.err, r.copy.GetName(), r.copy.GetBaseUrl(), content)
					}
				}
			}
		}
	})
}
