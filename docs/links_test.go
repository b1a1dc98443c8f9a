package docs

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)|(?m)^\[[^\]]+\]:\s+(\S+)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?)\s*$`)
	linked  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	noSlug  = regexp.MustCompile(`[^\p{L}\p{N}\p{M} _-]`)
)

// anchors returns the anchors of a page's headings, made as GitHub does.
func (p page) anchors() map[string]bool {
	all := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(p.prose, -1) {
		slug := strings.ToLower(linked.ReplaceAllString(m[1], "$1"))
		slug = strings.ReplaceAll(noSlug.ReplaceAllString(slug, ""), " ", "-")
		name := slug
		for i := 1; all[name]; i++ {
			name = fmt.Sprintf("%s-%d", slug, i)
		}
		all[name] = true
	}
	return all
}

// brokenLinks returns the relative links of a page that lead nowhere.
func (p page) brokenLinks(t *testing.T) []string {
	t.Helper()
	var broken []string
	for _, m := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(p.prose, "x"), -1) {
		target := m[1] + m[2]
		if strings.Contains(target, ":") {
			continue // of another site
		}
		file, anchor, _ := strings.Cut(target, "#")
		to := p.path
		if file != "" {
			to = path.Join(path.Dir(p.path), file)
		}
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(to))); err != nil {
			broken = append(broken, target)
		} else if anchor != "" && (path.Ext(to) != ".md" || !read(t, to).anchors()[anchor]) {
			broken = append(broken, target)
		}
	}
	return broken
}

func TestPages_EveryRelativeLink_LeadsToAFileAndAHeading(t *testing.T) {
	t.Parallel()
	for _, p := range pages(t) {
		for _, target := range p.brokenLinks(t) {
			t.Errorf("%s: the link %s leads nowhere", p.path, target)
		}
	}
}

func TestBrokenLinks_NamesEachKind(t *testing.T) {
	t.Parallel()
	p := parse("# A `b`, c\n## A `b`, c\n[ok](README.md) [ok](#a-b-c) [ok](#a-b-c-1) [ok](https://x.invalid/y)\n" +
		"[x](nowhere.md) [x](#a-b-c-2) [x](README.md#nowhere) `[x](code)`\n[r]: elsewhere.md\n\n    [x](block)\n")
	p.path = "README.md"
	// Another page's anchors are looked up in that page, so README.md is the real one here.
	got := p.brokenLinks(t)
	want := []string{"#a-b-c", "#a-b-c-1", "nowhere.md", "#a-b-c-2", "README.md#nowhere", "elsewhere.md"}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %q, want %q", got, want)
	}
	if a := p.anchors(); len(a) != 2 || !a["a-b-c"] || !a["a-b-c-1"] {
		t.Errorf("anchors %v", a)
	}
}

var sourcePath = regexp.MustCompile(`^(?:\./)?((?:server|cmd|bench|test|docs|proto|tools|gen|third_party|examples|deploy|\.ci)(?:/[\w.*-]+)*)/?$`)

func TestPages_EveryPathOfTheRepository_Exists(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, p := range pages(t) {
		if p.history() || p.foreign() {
			continue
		}
		for _, code := range p.code() {
			for word := range strings.FieldsSeq(code) {
				m := sourcePath.FindStringSubmatch(strings.TrimSuffix(word, "/..."))
				if m == nil || !strings.Contains(word, "/") {
					continue
				}
				checked++
				if found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(m[1]))); err != nil || found == nil {
					t.Errorf("%s: there is no %s", p.path, word)
				}
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d paths were checked", checked)
	}
}
