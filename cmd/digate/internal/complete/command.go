// Package complete completes command lines of digate in a shell.
package complete

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/term"
)

//go:embed scripts/bash.sh
var bashScript string

//go:embed scripts/zsh.sh
var zshScript string

//go:embed scripts/fish.fish
var fishScript string

// Command prints the script of a shell. The script calls [Name].
type Command struct {
	Shell string `arg:"" name:"shell" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown by --help.
func (Command) Help() string {
	return `To load it:

  bash  source <(digate completion bash)       in ~/.bashrc
  zsh   source <(digate completion zsh)        in ~/.zshrc, after compinit
  fish  digate completion fish | source        in ~/.config/fish/config.fish

Ids come from a running digate. It is found by --addr, DIGATE_TOKEN and the other settings of the line that is completed. If it does not respond within a second, no ids are offered.
`
}

// Run prints the script.
func (c *Command) Run(std term.IO) error {
	script := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[c.Shell]
	_, err := fmt.Fprint(std.Out, strings.NewReplacer("@DIGATE@", term.Installed(), "@COMPLETE@", Name).Replace(script))
	return err
}
