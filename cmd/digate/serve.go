package main

import (
	"context"

	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/telemetry"
)

type serveCmd struct {
	config.Config `embed:""`
}

func (c *serveCmd) Run(ctx context.Context, std term.IO) error {
	log := telemetry.NewLogger(std.Err, c.LogLevel)
	log.Debug("configuration", "config", c.Config)
	s, err := server.New(ctx, c.Config, server.Options{Version: version(), Log: log})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}
