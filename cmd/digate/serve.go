package main

import (
	"context"
	"os"
	"sync"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/setting"
	"github.com/digate/digate/server/systemd"
	"github.com/digate/digate/server/telemetry"
)

type serveCmd struct {
	config.Config `embed:""`
}

func (c *serveCmd) Run(ctx context.Context, std term.IO, line *kong.Context, o *origins) error {
	ignoreBrokenPipe()
	spareCollector()
	log := telemetry.OpenLog(std.Err, c.LogLevel)
	defer log.Close()
	o.logStray(log)
	if exposesPassword(line.Args, c.Ledger.Spec) {
		log.Warn("the command line shows the password of --ledger to everybody on this machine; give it in the environment (DIGATE_LEDGER) or in the file that --config names")
	}
	return complainInto(log, o.explain(line, unheard("digate", c.serve(ctx, log, o.of(line)))))
}

func (c *serveCmd) serve(ctx context.Context, log *telemetry.Log, from setting.Origins) error {
	log.Debug("configuration", "config", c.Config)
	manager, err := systemd.OpenNotifier()
	if err != nil {
		return setting.Mistaken(err)
	}
	sockets, err := systemd.Sockets(server.SocketNames...)
	if err != nil {
		return setting.Mistaken(err) // of a socket unit
	}
	s, err := server.New(ctx, c.Config, server.Options{
		Version: version(), Origins: from, Log: log.Logger, LogLevel: log.Level, LogLoad: log.Load, Getenv: os.Getenv, Hurry: untilSignal, Sockets: sockets, Supervisor: manager,
	})
	if err != nil {
		return err
	}
	if s.Reloads() || manager != nil { // a service manager reloads with SIGHUP
		defer onHangUp(func() { manager.Reload(func() { s.Reload(ctx) }) })()
	}
	ended, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var watchdog sync.WaitGroup
	watchdog.Go(func() {
		manager.Watch(ended, s.Alive, func(err error) { log.Error("the watchdog is not told that this server is alive", "cause", err.Error()) })
	})
	defer watchdog.Wait()
	defer cancel()
	return s.Run(ctx)
}

// complainInto writes the error of a server to its log, so that a log without a reader
// cannot delay the end of the process. An invalid configuration gets the exit code for
// wrong usage, so that service managers do not restart the server.
func complainInto(log *telemetry.Log, err error) error {
	switch {
	case err == nil:
		return nil
	case setting.IsMistake(err):
		return client.WrongUsage(log, err)
	default:
		return client.ExitError(client.ExitCode(log, err))
	}
}
