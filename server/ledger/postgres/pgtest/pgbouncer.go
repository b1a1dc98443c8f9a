package pgtest

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/test/await"
)

// Pool starts a PgBouncer in front of the server, in a pool mode: session,
// transaction or statement. It has few connections to the server, so that clients
// share them where the mode allows that. It ends with the test. Pool returns a
// function that makes a database's URL lead through PgBouncer. If the machine has
// no PgBouncer, the test ends as [need.Missing] says for "pgbouncer".
func (s *Server) Pool(mode string) (through func(databaseURL string) string) {
	s.t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		path = "/usr/sbin/pgbouncer" // Debian's, outside the PATH of most users
		if _, err := os.Stat(path); err != nil {
			need.Missing(s.t, "pgbouncer", "this machine has no PgBouncer (Debian: apt-get install pgbouncer)")
		}
	}
	port, err := freePort()
	if err != nil {
		s.t.Fatal(err)
	}
	s.configurePool(mode, port)
	cmd := exec.Command(path, s.path(mode+".ini"))
	cmd.Dir, cmd.Env, cmd.SysProcAttr = s.dir, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}, attributes(s.account)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = cmd.Wait()
	}()
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-gone
	})
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := await.Poll(patience, gone, func() error {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			err = c.Close()
		}
		return err
	}); err != nil {
		s.t.Fatalf("%s takes no connections: %v\n%s", filepath.Base(path), err, log.String())
	}
	return func(databaseURL string) string {
		u, err := url.Parse(databaseURL)
		if err != nil {
			s.t.Fatal(strings.ReplaceAll(err.Error(), s.password, "PASSWORD"))
		}
		u.Host = addr
		return u.String()
	}
}

// configurePool writes the files that PgBouncer reads.
func (s *Server) configurePool(mode string, port int) {
	s.t.Helper()
	size := 4
	if mode == "session" { // a client keeps its connection
		size = 64
	}
	ini := fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = %s
max_client_conn = 200
server_login_retry = 1
default_pool_size = %d
`, s.port, port, s.path("users-"+mode), mode, size)
	for name, text := range map[string]string{"users-" + mode: fmt.Sprintf("%q %q\n", user, s.password), mode + ".ini": ini} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
		if s.account != nil {
			if err := os.Chown(s.path(name), int(s.account.Uid), int(s.account.Gid)); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}
