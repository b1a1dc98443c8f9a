package bulk

import (
	"context"
	"fmt"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// arriving takes the rows of an input that can be read only once, as they arrive:
// it looks at what their copies would lack, and whether Diga has them already, and puts those that are sent into the
// job's file.
type arriving struct {
	command   *Command
	job       *job
	promise   promise
	contract  *contract
	templates *templates // nil if they cannot be read
	inventory *inventory // nil if rows are not compared with what Diga has
	found     findings
	same      twins
}

// take takes the next rows. Its time is bounded by the reading of templates. A row
// that it finds to be malformed, or whose copy would lack something, says so.
func (a *arriving) take(ctx context.Context, batch []*row) error {
	var fresh []*entry
	var there []jobLine
	for _, r := range batch {
		for _, doubt := range r.doubts {
			a.found.add(r.line, doubt)
		}
		if r.err = r.resolve(a.contract); r.err != nil {
			continue
		}
		a.check(ctx, r)
		e := a.job.see(r)
		if e.state != rowNew || r.lacks != "" {
			continue
		}
		name := a.templates.nameOfCopy(r)
		if has, ok := a.inventory.find(e.line, name, r.copy.GetTemplateId()); !ok {
			fresh = append(fresh, e)
			a.same.add(r.line, name, r.copy.GetTemplateId())
		} else if line, ok := a.command.hold(e, has); ok {
			there = append(there, line)
		}
	}
	return a.job.plan(a.promise, fresh, there)
}

func (a *arriving) check(ctx context.Context, r *row) {
	if a.templates == nil {
		return
	}
	lacks, err := a.templates.check(ctx, &a.found, r)
	if err != nil {
		a.templates.warn(fmt.Sprintf("No template could be read: %s\nThe rows are sent without a look at what they lack; the results will say.", term.Printable(describeFailure(err).Error())))
		a.templates = nil
	}
	r.lacks = strings.Join(lacks, ", ")
}
