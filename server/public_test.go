package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/digate/digate/server/gateway"
)

func TestPublicRoute_NoCredential_IsServedBesideTheContractsAndHasItsLine(t *testing.T) {
	t.Parallel()
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
	d := serve(t, settings(t, "http://127.0.0.1:1"), gateway.PublicRoute{Path: "/docs", Handler: page})
	for path, want := range map[string]string{
		"/docs":           "200 page",
		"/docs/":          "401 MISSING_CREDENTIAL",
		"/v1/integration": "401 MISSING_CREDENTIAL",
	} {
		got := d.do(t, http.MethodGet, path, "", "Authorization", "")
		if text := fmt.Sprint(got.status, " ", got.body); !strings.HasPrefix(text, want[:4]) || !strings.Contains(text, want[4:]) || got.header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %v %s, want %s", path, got.status, got.header, got.body, want)
		}
	}
	d.stop()
	<-d.ended
	if n := strings.Count(d.log.String(), `"msg":"call","protocol":"rest","method":"other","code":"OK"`); n != 1 {
		t.Errorf("%d lines of the public route: %s", n, d.log)
	}
}

func TestNew_PublicRouteHidesTheContracts_IsRefused(t *testing.T) {
	t.Parallel()
	_, err := newServer(t.Context(), settings(t, "http://127.0.0.1:1"), new(record), gateway.PublicRoute{Path: "/v1/integration/docs", Handler: http.NotFoundHandler()})
	if err == nil || !strings.HasPrefix(err.Error(), `public route "/v1/integration/docs": `) {
		t.Errorf("got %v", err)
	}
}
