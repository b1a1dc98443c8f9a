package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// maxPage is the most that a page has.
const maxPage = 100

// listFlags are those of every command that lists.
type listFlags struct {
	Limit  *int32  `name:"limit" placeholder:"N" help:"How many a page has, 1 to 100."`
	Page   *int32  `name:"page" placeholder:"N" help:"The page's number, from 1."`
	After  *string `name:"after" placeholder:"ID" help:"Begin after this one."`
	Before *string `name:"before" placeholder:"ID" help:"End before this one."`
	Order  string  `name:"order" enum:"asc,desc," default:"" placeholder:"ORDER" help:"Order of creation: asc, the oldest first, or desc."`
	All    bool    `name:"all" help:"Every page, to the end."`

	callFlags `embed:""`
}

// Validate implements kong's hook.
func (f *listFlags) Validate() error {
	if f.All && (f.Page != nil || f.Before != nil) {
		return errors.New("--all: goes to the end, so not with --page or --before")
	}
	return f.callFlags.Validate()
}

// Help is shown by --help.
func (listFlags) Help() string { return exitHelpOfReads }

// limit asks for large pages where every page is wanted.
func (f *listFlags) limit() *int32 {
	if f.All && f.Limit == nil {
		return proto.Int32(maxPage)
	}
	return f.Limit
}

func (f *listFlags) order() integrationv1.Order {
	return map[string]integrationv1.Order{"asc": integrationv1.Order_ORDER_ASC, "desc": integrationv1.Order_ORDER_DESC}[f.Order]
}

// page is a page of a list.
type page interface {
	proto.Message
	GetLastId() string
	GetHasMore() bool
}

// getPage asks for the page that begins after an id.
type getPage[P page] func(ctx context.Context, client integrationv1.IntegrationServiceClient, after *string) (P, error)

// list shows a page, or with --all every page as if it were one.
func list[P page](ctx context.Context, std stdio, f *listFlags, get getPage[P], rows func(P) table) error {
	ctx, client, done, err := f.dial(ctx, std, reads)
	if err != nil {
		return err
	}
	defer done()
	var shown P
	if f.All {
		shown, err = everyPage(ctx, client, f.After, get)
	} else {
		shown, err = get(ctx, client, f.After)
	}
	if errors.Is(err, errEndless) {
		return err
	}
	if err != nil {
		return fail(std.err, f.Output, reads, err)
	}
	if f.Output == outputJSON {
		return printJSON(std.out, shown)
	}
	if err := rows(shown).write(std.out, terminalColumns(std.out)); err != nil {
		return err
	}
	f.tellOfMore(std.err, shown)
	return nil
}

// tellOfMore says how to see what is behind a page.
func (f *listFlags) tellOfMore(w io.Writer, p page) {
	switch {
	case !p.GetHasMore() || f.Before != nil:
	case f.Page != nil:
		fmt.Fprintf(w, "There are more: --page %d\n", *f.Page+1)
	case p.GetLastId() != "":
		fmt.Fprintf(w, "There are more: --after %s, or --all\n", printable(shellWord(p.GetLastId())))
	default:
		fmt.Fprintln(w, "There are more.")
	}
}

var errEndless = errors.New("there are said to be more, but not after which id")

// everyPage follows a list to its end and returns it as one page. Where it
// fails it returns what it has so far too.
func everyPage[P page](ctx context.Context, client integrationv1.IntegrationServiceClient, after *string, get getPage[P]) (P, error) {
	whole, err := get(ctx, client, after)
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
		next, err := get(ctx, client, &last)
		if err != nil {
			return whole, err
		}
		appendPage(whole, next)
	}
	return whole, nil
}

// appendPage makes whole end as next does.
func appendPage(whole, next proto.Message) {
	w, n := whole.ProtoReflect(), next.ProtoReflect()
	fields := w.Descriptor().Fields()
	for _, name := range []string{"last_id", "has_more"} { // which next may not have
		w.Clear(fields.ByTextName(name))
	}
	n.Clear(fields.ByTextName("first_id"))
	proto.Merge(whole, next)
}
