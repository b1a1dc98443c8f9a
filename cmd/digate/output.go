package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/digajson"
)

// printJSON writes a message as Diga's REST would, on one line.
func printJSON(w io.Writer, m proto.Message) error {
	codec, err := digajson.Compile(m.ProtoReflect().Descriptor())
	if err != nil {
		return err
	}
	b, err := codec.AppendResponse(nil, m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, printableJSON(b))
	return err
}

// printFields writes names and values, a line each.
func printFields(w io.Writer, fields [][2]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range fields {
		name, value := f[0], f[1]
		if value == "" {
			value = "-"
		}
		fmt.Fprintf(tw, "%s\t%s\n", name, printable(value))
	}
	return tw.Flush()
}
