package main

import (
	_ "embed"
	"fmt"
	"os"
	"strings"
)

//go:embed completion/bash.sh
var bashCompletion string

//go:embed completion/zsh.sh
var zshCompletion string

//go:embed completion/fish.fish
var fishCompletion string

type completionCmd struct {
	Shell string `arg:"" name:"shell" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown by --help.
func (completionCmd) Help() string {
	return `To load it:

  bash  source <(digate completion bash)       in ~/.bashrc
  zsh   source <(digate completion zsh)        in ~/.zshrc, after compinit
  fish  digate completion fish | source        in ~/.config/fish/config.fish

Ids are asked of a running digate, by the --addr, DIGATE_TOKEN and the like of the line that is completed. Where it does not answer in a second there are none.
`
}

func (c *completionCmd) Run(std stdio) error {
	script := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	_, err := fmt.Fprint(std.out, strings.NewReplacer("@DIGATE@", installed(), "@COMPLETE@", completeCommand).Replace(script))
	return err
}

// installed is how a script calls this program wherever it runs; by its name
// where the program will not stay where it is.
func installed() string {
	if exe, err := os.Executable(); err != nil || ranByGo(exe) {
		return "digate"
	}
	return self()
}
