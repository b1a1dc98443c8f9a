package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/test/await"
)

// A signal ends the start even while a database takes connections and never
// responds.
func TestServe_SignalWhileTheLedgerHangs_EndsAtOnceAndSaysWhy(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	connected := make(chan net.Conn, 16)
	go func() {
		defer close(connected)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			connected <- c
		}
	}()
	key := filepath.Join(t.TempDir(), "ledger.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("0a", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launchOnFreePorts(t, "serve", "--ledger", "postgres://u@"+ln.Addr().String()+"/d?sslmode=disable", "--ledger-key-file", key)
	select {
	case c := <-connected:
		defer func() { _ = c.Close() }()
	case <-p.Ended():
		t.Fatalf("the process ended by itself: %s", p.err.String())
	case <-time.After(await.Patience):
		t.Fatal("the process never asked the database")
	}
	begun := time.Now()
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != client.ExitFailed {
		t.Errorf("exit code %d, want %d", code, client.ExitFailed)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("the process went on for %v after the signal", took)
	}
	if got := p.err.String(); !strings.Contains(got, "the start was interrupted (terminated signal received): --ledger: ") {
		t.Errorf("it said:\n%s", got)
	}
}
