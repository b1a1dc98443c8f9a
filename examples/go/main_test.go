package client_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err == nil {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		code = 1
	}
	os.Exit(code)
}

// run runs the tests while digate serves with the emulator behind it.
func run(m *testing.M) (int, error) {
	diga := emulator.New(emulator.Options{})
	standIn := httptest.NewServer(diga)
	defer standIn.Close()
	defer diga.Close()

	cfg := config.Defaults()
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Upstream.URL = standIn.URL
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	s, err := server.New(ctx, cfg, server.Options{Version: "example", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 1, err
	}
	address = s.GRPCAddr().String()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	code := m.Run()
	stop()
	return code, <-ended
}
