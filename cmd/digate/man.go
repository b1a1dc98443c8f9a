package main

import (
	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/man"
)

// manCmd writes the manual pages of a release.
type manCmd struct {
	Dir string `arg:"" name:"dir" type:"path" help:"The folder for the pages."`
}

func (c *manCmd) Run(k *kong.Kong) error { return man.Write(c.Dir, k.Model, version()) }
