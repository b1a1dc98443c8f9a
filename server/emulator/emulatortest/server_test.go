package emulatortest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/digate/digate/server/emulator"
	"github.com/digate/digate/server/emulator/emulatortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// get calls an operation as the account t, and returns the status and the body.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer t")
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestServer_IsAnEmulatorUnderControl(t *testing.T) {
	t.Parallel()
	s := emulatortest.NewServer(t, emulator.Options{})
	s.Load("accounts: [{token: t, integrations: [{name: Seeded, base_url: https://x}]}]")
	s.Fail(emulator.Rule{Match: emulator.Match{Operation: "list_integrations"}, Times: 1, For: 3 * time.Second, Fault: "rate-limited"})
	list := s.URL + "/v1/integration"
	if status, _ := get(t, list); status != http.StatusTooManyRequests {
		t.Errorf("got %d", status)
	}
	s.Advance(3 * time.Second)
	if status, body := get(t, list); status != http.StatusOK || !strings.Contains(body, `"name":"Seeded"`) {
		t.Errorf("got %d %s", status, body)
	}
	if calls := s.Calls(emulator.Match{Token: "t"}); len(calls) != 2 || calls[0].Status != http.StatusTooManyRequests {
		t.Errorf("calls %+v", calls)
	}
	if status, body := get(t, s.URL+"/_emulator/calls?count=2"); status != http.StatusOK {
		t.Errorf("over HTTP: %d %s", status, body)
	}
}

func TestServer_ResponseHangs_EndsWithTheTest(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	t.Run("the test", func(t *testing.T) {
		s := emulatortest.NewServer(t, emulator.Options{})
		s.Fail(emulator.Rule{Fault: "hang"})
		r, err := http.NewRequest(http.MethodGet, s.URL+"/v1/integration", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer t")
		go func() {
			resp, err := http.DefaultClient.Do(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			failed <- err
		}()
		get(t, s.URL+"/_emulator/calls?count=1&within=1m")
	})
	if err := <-failed; err == nil {
		t.Error("there was a response")
	}
}

// failing records how a test fails.
type failing struct {
	testing.TB
	text string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	panic(f)
}

func TestServer_WhatItCannotDo_FailsTheTest(t *testing.T) {
	t.Parallel()
	for want, do := range map[string]func(*emulatortest.Server){
		"emulator: the state: accounts.0.token: Field required":             func(s *emulatortest.Server) { s.Load("accounts: [{}]") },
		"emulator: the rule: faults.0: A rule has a fault, a response or a": func(s *emulatortest.Server) { s.Fail(emulator.Rule{}) },
		"emulator: the match: operation: Input should be 'list_templates'":  func(s *emulatortest.Server) { s.Calls(emulator.Match{Operation: "x"}) },
	} {
		f := &failing{TB: t}
		s := emulatortest.NewServer(f, emulator.Options{})
		func() {
			defer func() {
				if p := recover(); p != any(f) {
					t.Errorf("%v, want %s", p, want)
				}
			}()
			do(s)
		}()
		if !strings.HasPrefix(f.text, want) {
			t.Errorf("got %s, want %s", f.text, want)
		}
	}
}
