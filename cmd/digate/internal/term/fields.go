package term

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteFields writes one line for each name and value.
func WriteFields(w io.Writer, fields [][2]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range fields {
		name, value := f[0], f[1]
		if value == "" {
			value = "-"
		}
		fmt.Fprintf(tw, "%s\t%s\n", name, Printable(value))
	}
	return tw.Flush()
}
