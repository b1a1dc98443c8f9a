package main

import (
	"context"

	"github.com/digate/digate/cmd/digate/internal/doctor"
	"github.com/digate/digate/cmd/digate/internal/term"
)

type doctorCmd struct {
	doctor.Command `embed:""`
}

func (c *doctorCmd) Run(ctx context.Context, std term.IO) error {
	return c.Examine(ctx, std, version())
}
