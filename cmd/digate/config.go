package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/setting"
)

type configCmd struct {
	Show configShowCmd `cmd:"" help:"Print every setting that serve would use, and where it was set."`
}

// configShowCmd has the same settings as serve.
type configShowCmd struct {
	config.Config `embed:""`

	Output string `name:"output" short:"o" enum:"text,json" default:"text" help:"text or json."`
}

// Help is shown by --help.
func (configShowCmd) Help() string {
	return "FROM is the flag, the variable of the environment, or the file and line. No credential is shown."
}

func (c *configShowCmd) Run(std term.IO, line *kong.Context, o *origins) error {
	all := c.Effective(o.of(line))
	if c.Output == client.OutputJSON {
		return writeSettingsJSON(std, all)
	}
	t := term.Table{{"SETTING", "FROM", "VALUE"}}
	for _, s := range all {
		t = append(t, []string{s.Name, s.From, fmt.Sprint(s.Value)})
	}
	return t.Write(std.Out, term.Columns(std.Out))
}

func writeSettingsJSON(std term.IO, all []setting.Effective) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string][]setting.Effective{"settings": all}); err != nil {
		return err
	}
	_, err := std.Out.Write([]byte(term.PrintableJSON(b.Bytes())))
	return err
}
