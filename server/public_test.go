package server_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/digate/digate/server"
	"github.com/digate/digate/server/gateway"
)

func TestPublicRoute_NoCredential_IsServedBesideTheContractsAndHasItsLine(t *testing.T) {
	log := new(record)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
	s, err := server.New(t.Context(), settings(t, "http://127.0.0.1:1"), server.Options{
		Version: "test", Log: logger(log), Public: []gateway.PublicRoute{{Path: "/docs", Handler: page}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]string{
		"/docs":           "200 page",
		"/docs/":          "401 MISSING_CREDENTIAL",
		"/v1/integration": "401 MISSING_CREDENTIAL",
	} {
		resp, err := client.Get("http://" + s.HTTPAddr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		status, text, _ := strings.Cut(want, " ")
		if !strings.HasPrefix(resp.Status, status) || !strings.Contains(string(body), text) || resp.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %s %v %s, want %s", path, resp.Status, resp.Header, body, want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if n := strings.Count(log.String(), `"msg":"call","protocol":"rest","method":"other","code":"OK"`); n != 1 {
		t.Errorf("%d lines of the public route: %s", n, log)
	}
}

func TestNew_PublicRouteHidesTheContracts_IsRefused(t *testing.T) {
	_, err := server.New(t.Context(), settings(t, "http://127.0.0.1:1"), server.Options{
		Version: "test", Log: logger(new(record)), Public: []gateway.PublicRoute{{Path: "/v1/integration/docs", Handler: http.NotFoundHandler()}},
	})
	if err == nil || !strings.HasPrefix(err.Error(), `public route "/v1/integration/docs": `) {
		t.Errorf("got %v", err)
	}
}
