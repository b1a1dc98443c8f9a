package clitest

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/test/await"
)

// Watch runs a command at a terminal of 80 × 24, where a person types, and returns
// what the person sees.
func Watch(t *testing.T, typed string, run func(term.IO) int) (screen string, code int) {
	t.Helper()
	command, person := Terminal(t, ScreenColumns)
	if _, err := person.WriteString(typed); err != nil {
		t.Fatal(err)
	}
	read := ReadScreen(person)
	code = run(term.IO{In: command, Out: command, Err: command})
	if _, err := command.WriteString(EndOfScreen); err != nil {
		t.Fatal(err)
	}
	return render(await.Value(t, read, "the end of the screen")), code
}

// EndOfScreen is written behind what commands wrote.
const EndOfScreen = "\x00\x00end\x00"

// ReadScreen reads what commands write to a terminal, from the person's side, and
// sends it without its [EndOfScreen].
func ReadScreen(person io.Reader) <-chan string {
	read := make(chan string, 1)
	go func() {
		var text strings.Builder
		buf := make([]byte, 4096)
		for !strings.Contains(text.String(), EndOfScreen) {
			n, err := person.Read(buf)
			if err != nil {
				break
			}
			text.Write(buf[:n])
		}
		shown, _, _ := strings.Cut(text.String(), EndOfScreen)
		read <- shown
	}()
	return read
}

// render returns the lines of a terminal on which text was written. It knows what
// commands write: carriage returns, line feeds, and the clearing of a line.
func render(text string) string {
	lines, column := [][]rune{nil}, 0
	for len(text) > 0 {
		if rest, ok := strings.CutPrefix(text, "\x1b[K"); ok {
			last := len(lines) - 1
			lines[last] = lines[last][:min(column, len(lines[last]))]
			text = rest
			continue
		}
		var r rune
		for _, r = range text {
			break
		}
		text = text[len(string(r)):]
		switch r {
		case '\r':
			column = 0
		case '\n':
			lines, column = append(lines, nil), 0
		default:
			if column == ScreenColumns {
				lines, column = append(lines, nil), 0
			}
			last := len(lines) - 1
			if column < len(lines[last]) {
				lines[last][column] = r
			} else {
				lines[last] = append(lines[last], r)
			}
			column += max(term.Width(string(r)), 1)
		}
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// What differs between two runs, and what a golden file has instead, which is as
// wide.
var varying = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), ""}, // numbered
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "2026-01-02 03:04:05"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`\b\d+s\b`), "0s"},
}

// Steady replaces what differs between two runs. The ids in keep stay as they are.
func Steady(screen string, keep ...string) string {
	ids := make(map[string]string)
	for _, id := range keep {
		ids[id] = id
	}
	for _, v := range varying {
		screen = v.what.ReplaceAllStringFunc(screen, func(found string) string {
			if v.with != "" {
				return v.with
			}
			if ids[found] == "" {
				n := string(rune('a' + len(ids)%26))
				ids[found] = strings.Repeat(n, 8) + "-" + strings.Repeat(n, 4) + "-4" + strings.Repeat(n, 3) + "-8" + strings.Repeat(n, 3) + "-" + strings.Repeat(n, 12)
			}
			return ids[found]
		})
	}
	return screen
}
