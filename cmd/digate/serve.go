package main

import (
	"context"

	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/telemetry"
)

type serveCmd struct {
	config.Config `embed:""`
}

func (c *serveCmd) Run(ctx context.Context, std stdio) error {
	log := telemetry.NewLogger(std.err, c.LogLevel)
	log.Debug("configuration", "config", c.Config)
	s, err := server.New(ctx, c.Config, server.Options{Version: version(), Log: log})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}
