package bulk

import (
	"fmt"
	"hash/maphash"
	"io"
	"strings"
)

// twins are the rows of an input that make an integration each, under one name and
// from one template. It may be meant so, and it may be a row that was pasted twice.
type twins struct {
	seed   maphash.Seed
	first  map[uint64]int // the line, by digest of name and template
	groups []*finding
	by     map[uint64]*finding
}

// add notes a row. A name that is empty is not known.
func (tw *twins) add(line int, name, template string) {
	if name == "" {
		return
	}
	if tw.first == nil {
		tw.seed, tw.first, tw.by = maphash.MakeSeed(), make(map[uint64]int), make(map[uint64]*finding)
	}
	digest := maphash.String(tw.seed, likeName(shortName(name))+"\n"+strings.ToLower(template))
	first, again := tw.first[digest]
	if !again {
		tw.first[digest] = line
		return
	}
	group := tw.by[digest]
	if group == nil {
		group = new(finding)
		group.add(first)
		tw.by[digest] = group
		tw.groups = append(tw.groups, group)
	}
	group.add(line)
}

// maxTwinsShown bounds the lines about rows of one name.
const maxTwinsShown = 3

// write writes a line for each name.
func (tw *twins) write(w io.Writer) {
	for _, group := range tw.groups[:min(len(tw.groups), maxTwinsShown)] {
		where := group.where()
		if group.rows == 2 {
			where = fmt.Sprintf("lines %d and %d", group.ranges[0].first, group.ranges[len(group.ranges)-1].last)
		}
		fmt.Fprintf(w, "%s have the same name and template: each makes an integration\n", where)
	}
	switch more := len(tw.groups) - maxTwinsShown; {
	case more == 1:
		fmt.Fprintln(w, "and so do the rows of 1 more name")
	case more > 1:
		fmt.Fprintf(w, "and so do the rows of %d more names\n", more)
	}
}

// showTwins writes which rows share a name, which stays.
func (p *progress) showTwins(tw *twins) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	tw.write(p.w)
}
