package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/lifecycle"
	"github.com/digate/digate/server/telemetry"
)

// A document that never comes holds up neither the server's end nor its start.
func TestContractWatch_DocumentThatNeverComes_DelaysNoStop(t *testing.T) {
	asked := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	t.Cleanup(srv.Close)
	cfg := config.Defaults()
	cfg.ContractWatch.Interval, cfg.ContractWatch.URL = time.Hour, srv.URL
	log := slog.New(slog.DiscardHandler)
	s := &Server{cfg: cfg, log: log, telemetry: telemetry.New(log, nil, time.Minute)}
	if err := s.watchContract("v"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.lifecycle.Run(ctx, time.Minute) }()
	<-asked
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestContractWatch_ByDefault_IsNotThere(t *testing.T) {
	s := &Server{cfg: config.Defaults()}
	if err := s.watchContract("v"); err != nil || !reflect.DeepEqual(s.lifecycle, lifecycle.Stack{}) {
		t.Errorf("%v, or a part that nobody asked for", err)
	}
}
