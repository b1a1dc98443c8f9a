package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// listFlags are the flags of a command that lists.
type listFlags struct {
	Limit  *int32  `name:"limit" placeholder:"N" help:"Number of items on a page, 1 to 100. Means nothing with --all."`
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
	// get returns the page after an id.
	get func(ctx context.Context, service integrationv1.IntegrationServiceClient, after *string) (P, error)
	// every returns all items after an id, or at most the given number of them, as one
	// page.
	every func(ctx context.Context, service integrationv1.IntegrationServiceClient, after *string, most *int32) (P, error)
	// table returns the items of a page as a table with a header. Its first two columns
	// are an item's id and name.
	table func(P) term.Table
}

// show shows one page or, with --all, all pages as one.
func (l list[P]) show(ctx context.Context, std term.IO) error {
	f := l.flags
	ctx, service, done, err := f.DialIntegrations(ctx, std, client.Reads)
	if err != nil {
		return err
	}
	defer done()
	var shown P
	if f.All {
		shown, err = l.every(ctx, service, f.After, nil)
	} else {
		shown, err = l.get(ctx, service, f.After)
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

// gather reads a stream to its end and returns its items as one page. If the stream
// breaks, it continues after the last item. On an error, it returns what it has read so
// far.
func gather[M any, P page](whole P, after *string, open func(after *string) (grpc.ServerStreamingClient[M], error), add func(*M) (id string)) (P, error) {
	first := ""
	for {
		began := after
		stream, err := open(after)
		for err == nil {
			var m *M
			if m, err = stream.Recv(); err != nil {
				break
			}
			id := add(m)
			if first == "" {
				first = id
			}
			after = &id
		}
		if errors.Is(err, io.EOF) {
			setText(whole, "first_id", first)
			if after != nil {
				setText(whole, "last_id", *after)
			}
			return whole, nil
		}
		if status.Code(err) != codes.Unavailable || after == began || *after == "" {
			return whole, err
		}
	}
}

// setText sets a field of a page, unless the text is empty.
func setText(m proto.Message, field protoreflect.Name, text string) {
	if text != "" {
		m.ProtoReflect().Set(m.ProtoReflect().Descriptor().Fields().ByName(field), protoreflect.ValueOfString(text))
	}
}
