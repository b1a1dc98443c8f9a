package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// maxPage is the largest number of items on a page.
const maxPage = 100

// listFlags are the flags of a command that lists.
type listFlags struct {
	Limit  *int32  `name:"limit" placeholder:"N" help:"Number of items on a page, 1 to 100."`
	Page   *int32  `name:"page" placeholder:"N" help:"Number of the page, from 1."`
	After  *string `name:"after" placeholder:"ID" help:"Begin after this id."`
	Before *string `name:"before" placeholder:"ID" help:"End before this id."`
	Order  string  `name:"order" enum:"asc,desc," default:"" placeholder:"ORDER" help:"Order of creation: asc, which is the oldest first, or desc."`
	All    bool    `name:"all" help:"List every page."`

	client.CallFlags `embed:""`
}

// Validate implements kong's hook.
func (f *listFlags) Validate() error {
	if f.All && (f.Page != nil || f.Before != nil) {
		return errors.New("--all: lists every page, so it cannot be used with --page or --before")
	}
	return f.CallFlags.Validate()
}

// Help is shown by --help.
func (listFlags) Help() string { return client.ExitHelpOfReads }

// limit returns the size of pages. With --all, pages are large by default.
func (f *listFlags) limit() *int32 {
	if f.All && f.Limit == nil {
		return proto.Int32(maxPage)
	}
	return f.Limit
}

func (f *listFlags) order() integrationv1.Order {
	return map[string]integrationv1.Order{"asc": integrationv1.Order_ORDER_ASC, "desc": integrationv1.Order_ORDER_DESC}[f.Order]
}

// page is one page of a list.
type page interface {
	proto.Message
	GetLastId() string
	GetHasMore() bool
}

// list is a command that lists.
type list[P page] struct {
	flags *listFlags
	// get gets the page that begins after an id.
	get func(ctx context.Context, service integrationv1.IntegrationServiceClient, after *string) (P, error)
	// table returns the items of a page below a head. Its first two columns are an
	// item's id and name.
	table func(P) term.Table
}

// show shows one page, or with --all every page as if they were one.
func (l list[P]) show(ctx context.Context, std term.IO) error {
	f := l.flags
	ctx, service, done, err := f.DialIntegrations(ctx, std, client.Reads)
	if err != nil {
		return err
	}
	defer done()
	var shown P
	if f.All {
		shown, err = l.everyPage(ctx, service, f.After)
	} else {
		shown, err = l.get(ctx, service, f.After)
	}
	if errors.Is(err, errEndless) {
		return err
	}
	if err != nil {
		return client.Fail(std.Err, f.Output, client.Reads, err)
	}
	if f.Output == client.OutputJSON {
		return client.PrintJSON(std.Out, shown)
	}
	if err := l.table(shown).Write(std.Out, term.Columns(std.Out)); err != nil {
		return err
	}
	f.tellOfMore(std.Err, shown)
	return nil
}

// tellOfMore writes how to get the next page.
func (f *listFlags) tellOfMore(w io.Writer, p page) {
	switch {
	case !p.GetHasMore() || f.Before != nil:
	case f.Page != nil:
		fmt.Fprintf(w, "There are more: --page %d\n", *f.Page+1)
	case p.GetLastId() != "":
		fmt.Fprintf(w, "There are more: --after %s, or --all\n", term.Printable(term.ShellWord(p.GetLastId())))
	default:
		fmt.Fprintln(w, "There are more.")
	}
}

var errEndless = errors.New("Diga says that there are more items, but not after which id")

// everyPage reads a list to its end and returns it as one page. On an error it
// also returns what it has read so far.
func (l list[P]) everyPage(ctx context.Context, service integrationv1.IntegrationServiceClient, after *string) (P, error) {
	whole, err := l.get(ctx, service, after)
	if err != nil {
		return whole, err
	}
	seen := make(map[string]bool)
	for whole.GetHasMore() {
		last := whole.GetLastId()
		if last == "" || seen[last] {
			return whole, errEndless
		}
		seen[last] = true
		next, err := l.get(ctx, service, &last)
		if err != nil {
			return whole, err
		}
		appendPage(whole, next)
	}
	return whole, nil
}

// appendPage appends next to whole, which then ends as next does.
func appendPage(whole, next proto.Message) {
	w, n := whole.ProtoReflect(), next.ProtoReflect()
	fields := w.Descriptor().Fields()
	for _, name := range []string{"last_id", "has_more"} { // next may not have them
		w.Clear(fields.ByTextName(name))
	}
	n.Clear(fields.ByTextName("first_id"))
	proto.Merge(whole, next)
}
