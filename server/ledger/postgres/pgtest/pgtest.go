// Package pgtest starts a throw-away PostgreSQL server for a test, from the
// binaries on the machine.
package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/test/await"
)

const (
	user = "digate"
	// patience is how long the server may take to start or to stop.
	patience = 60 * time.Second
)

// Server is a server on a loopback port, with TLS and passwords. It ends with its
// test. Its methods fail that test.
type Server struct {
	t        testing.TB
	bin, dir string
	settings []string
	port     int
	password string
	account  *owner

	mu        sync.Mutex
	cmd       *exec.Cmd
	gone      chan struct{}
	databases int
}

// Start starts a server. Settings are those of postgresql.conf, such as "fsync=on".
// By default the server is quick, and a power cut would lose data. If the machine
// has no PostgreSQL, the test ends as [need.Missing] says for "postgres".
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	bin, err := binaries()
	if err != nil {
		need.Missing(t, "postgres", err.Error())
	}
	s := &Server{t: t, bin: bin, password: rand.Text(), settings: append([]string{
		"fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=32MB", "log_min_messages=warning",
	}, settings...)}
	if s.account, err = account(); err != nil {
		t.Fatal(err)
	}
	// The server's account may not enter the test's own folder.
	if s.dir, err = os.MkdirTemp("", "digate-pg-"); err != nil { //nolint:usetesting // see above
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	if err := s.initialise(); err != nil {
		t.Fatal(err)
	}
	for try := 1; ; try++ {
		if s.port, err = freePort(); err != nil {
			t.Fatal(err)
		}
		// Another process may take the port before the server does.
		if err = s.start(); err == nil {
			return s
		}
		if try == 3 {
			t.Fatal(err)
		}
	}
}

// URL returns the URL of a database of the server.
func (s *Server) URL() string { return s.url("postgres", url.Values{"sslmode": {"disable"}}) }

// TLSURL returns the same URL over TLS, with verification of the server.
func (s *Server) TLSURL() string {
	return s.url("postgres", url.Values{"sslmode": {"verify-full"}, "sslrootcert": {s.path("server.crt")}})
}

// NewDatabase makes an empty database and returns its URL.
func (s *Server) NewDatabase() string {
	s.t.Helper()
	s.mu.Lock()
	s.databases++
	name := fmt.Sprint("test", s.databases)
	s.mu.Unlock()
	s.Exec(s.URL(), "CREATE DATABASE "+name)
	return s.url(name, url.Values{"sslmode": {"disable"}})
}

// Exec runs a statement on the database.
func (s *Server) Exec(url, statement string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = conn.Exec(ctx, statement)
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		s.t.Fatal(err)
	}
}

// Stop shuts the server down as its operator does.
func (s *Server) Stop() { s.signal(syscall.SIGINT) }

// Kill ends the server at once, as a crash does.
func (s *Server) Kill() { s.signal(syscall.SIGQUIT) }

// Restart starts the server again after Stop or Kill, on the same port with the
// same data.
func (s *Server) Restart() {
	s.t.Helper()
	if err := s.start(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) url(database string, options url.Values) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, s.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/" + database, RawQuery: options.Encode(),
	}
	return u.String()
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// initialise makes the server's files.
func (s *Server) initialise() error {
	if err := s.writeCertificate(); err != nil {
		return err
	}
	if err := os.WriteFile(s.path("password"), []byte(s.password), 0o600); err != nil {
		return err
	}
	if s.account != nil {
		for _, name := range []string{"", "password", "server.crt", "server.key"} {
			if err := os.Chown(s.path(name), int(s.account.Uid), int(s.account.Gid)); err != nil {
				return err
			}
		}
	}
	out, err := s.command("initdb", "--pgdata="+s.path("data"), "--username="+user, "--pwfile="+s.path("password"),
		"--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// start starts the server and returns once it takes connections.
func (s *Server) start() error {
	args := []string{"-D", s.path("data"), "-p", strconv.Itoa(s.port), "-h", "127.0.0.1", "-k", s.dir,
		"-c", "ssl=on", "-c", "ssl_cert_file=" + s.path("server.crt"), "-c", "ssl_key_file=" + s.path("server.key")}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	cmd := s.command("postgres", args...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = cmd.Wait()
	}()
	s.mu.Lock()
	s.cmd, s.gone = cmd, gone
	s.mu.Unlock()

	if err := await.Poll(patience, gone, s.ping); err != nil {
		s.Kill()
		return fmt.Errorf("postgres does not take connections: %w\n%s", err, log.Bytes())
	}
	return nil
}

// ping returns an error unless this server is on the port: another one has another
// password.
func (s *Server) ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// signal ends the server with a signal.
func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	s.mu.Lock()
	cmd, gone := s.cmd, s.gone
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(sig)
	select {
	case <-gone:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		<-gone
		s.t.Errorf("postgres did not end on %v", sig)
	}
}

func (s *Server) end() {
	s.Kill()
	if err := os.RemoveAll(s.dir); err != nil {
		s.t.Error(err)
	}
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	// Without the PG* variables of the person who runs the test.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = attributes(s.account)
	return cmd
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// errMissing says what to install.
var errMissing = errors.New("no PostgreSQL server on this machine: install it (Debian: apt-get install postgresql; macOS: brew install postgresql), or put initdb and postgres into PATH")

// binaries finds the folder that has initdb and postgres: one of PATH, one that
// pg_config names, or the newest of Debian's.
func binaries() (string, error) {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		return n
	}
	slices.SortFunc(debian, func(a, b string) int { return version(b) - version(a) })
	dirs = append(dirs, debian...)
	for _, dir := range dirs {
		// initdb looks for postgres in its own folder, not in that of a link to it.
		initdb, err := filepath.EvalSymlinks(filepath.Join(dir, "initdb"))
		if err != nil || dir == "" {
			continue
		}
		if info, err := os.Stat(filepath.Join(filepath.Dir(initdb), "postgres")); err == nil && info.Mode().IsRegular() {
			return filepath.Dir(initdb), nil
		}
	}
	return "", errMissing
}
