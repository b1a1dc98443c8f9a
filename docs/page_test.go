package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// page is a Markdown file, taken apart.
type page struct {
	path   string // from the root of the repository, with slashes
	prose  string // without code blocks
	blocks []block
}

// block is a code block.
type block struct {
	line     int // of its first line of code
	language string
	text     string
	// before is the last line of text above the block.
	before string
}

const root = ".."

// pages returns every Markdown file of the repository.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"testdata", "bin", "node_modules", "target"}, d.Name())) {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() && filepath.Ext(path) == ".md" {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			all = append(all, read(t, filepath.ToSlash(rel)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 8 {
		t.Fatalf("only %d pages were found", len(all))
	}
	return all
}

// read returns the page at a path from the root of the repository.
func read(t *testing.T, path string) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	p := parse(string(text))
	p.path = path
	return p
}

// parse separates code blocks, fenced and indented, from prose.
func parse(text string) page {
	var (
		p        page
		prose    strings.Builder
		b        *block
		fenced   bool
		blank    = true
		lastText string
	)
	end := func() {
		if b != nil {
			p.blocks = append(p.blocks, *b)
			b = nil
		}
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\n")
		switch {
		case fenced && strings.HasPrefix(line, "```"):
			fenced = false
			end()
			blank, lastText = true, ""
		case fenced:
			b.text += line + "\n"
		case strings.HasPrefix(line, "```"):
			end()
			fenced = true
			b = &block{line: n + 1, language: strings.TrimPrefix(line, "```"), before: lastText}
		case strings.HasPrefix(line, "    ") && (b != nil || blank):
			if b == nil {
				b = &block{line: n, before: lastText}
			}
			b.text += strings.TrimPrefix(line, "    ") + "\n"
		default:
			blank = line == ""
			if !blank {
				end()
				lastText = line
			} else if b != nil {
				b.text += "\n"
			}
			prose.WriteString(line)
			prose.WriteByte('\n')
		}
	}
	end()
	p.prose = prose.String()
	return p
}

var codeSpan = regexp.MustCompile("`([^`\n]+)`")

// code returns the commands, names and paths of a page: its code spans, and the
// lines of its blocks with continued lines joined.
func (p page) code() []string {
	var all []string
	for _, m := range codeSpan.FindAllStringSubmatch(p.prose, -1) {
		all = append(all, m[1])
	}
	for _, b := range p.blocks {
		all = append(all, strings.Split(strings.ReplaceAll(b.text, "\\\n", " "), "\n")...)
	}
	return all
}

// history reports whether a page tells of names as they were, which need not
// exist any more.
func (p page) history() bool { return p.path == "CHANGELOG.md" }

// foreign reports whether a page was written by others.
func (p page) foreign() bool { return strings.HasPrefix(p.path, "third_party/") }

// section returns the prose of a page below a heading, to the next of its kind.
func (p page) section(t *testing.T, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(p.prose, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", p.path, heading)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// maxLine bounds a line of prose, in columns.
const maxLine = 110

func TestPages_ProseHasOneWidth(t *testing.T) {
	t.Parallel()
	for _, p := range pages(t) {
		if p.foreign() || p.history() {
			continue
		}
		for line := range strings.Lines(p.prose) {
			if line = strings.TrimSuffix(line, "\n"); len([]rune(line)) > maxLine && !strings.HasPrefix(line, "|") {
				t.Errorf("%s: longer than %d columns: %s", p.path, maxLine, line)
			}
		}
	}
}
