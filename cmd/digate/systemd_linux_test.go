package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

// manager is what a service manager is to a process: it hands over sockets, and is told
// how far the process is.
type manager struct {
	names   []string
	sockets []*os.File
	address string // of NOTIFY_SOCKET
	told    chan string
	env     []string
}

// newManager returns a manager that is told of the process at an address, which may be
// abstract.
func newManager(t *testing.T, address string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{address: address, told: make(chan string, 1000)}
	var reading sync.WaitGroup
	reading.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			m.told <- string(buf[:n])
		}
	})
	t.Cleanup(func() { _ = conn.Close(); reading.Wait() })
	return m
}

// abstract returns an abstract address of the test's own.
func abstract(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("@digate-test-%d-%d", os.Getpid(), abstracts.Add(1))
}

// abstracts counts the abstract addresses.
var abstracts atomic.Int64

// listen opens a socket that is handed over under a name, and returns its address.
func (m *manager) listen(t *testing.T, name, network, address string) net.Addr {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close(); _ = ln.Close() })
	m.names, m.sockets = append(m.names, name), append(m.sockets, f)
	return ln.Addr()
}

// start starts a serve.
func (m *manager) start(t *testing.T, args ...string) *process {
	t.Helper()
	p := new(process)
	// A process learns its own id from the shell, as it would from the manager after the fork.
	script := `LISTEN_PID=$$ exec "$@"`
	cmd := exec.Command("sh", append([]string{"-c", script, "sh", binary(t), "serve"}, args...)...)
	cmd.Env = append(rig.Environment(), "NOTIFY_SOCKET="+m.address)
	if len(m.sockets) > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprint("LISTEN_FDS=", len(m.sockets)), "LISTEN_FDNAMES="+strings.Join(m.names, ":"))
	}
	cmd.Env = append(cmd.Env, m.env...)
	cmd.ExtraFiles = m.sockets
	cmd.Stdout, cmd.Stderr = &p.out, &p.err
	p.start(t, cmd)
	return p
}

// await returns the next message that has the assignment.
func (m *manager) await(t *testing.T, assignment string) string {
	t.Helper()
	for {
		if told := await.Value(t, m.told, assignment); strings.Contains("\n"+told+"\n", "\n"+assignment+"\n") {
			return told
		}
	}
}

func freePorts() []string {
	return []string{"--upstream-url", "http://127.0.0.1:1", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"}
}

func TestServe_Notify_TellsHowFarItIs(t *testing.T) {
	t.Parallel()
	for _, address := range []string{filepath.Join(t.TempDir(), "notify"), abstract(t)} {
		m := newManager(t, address)
		m.env = []string{"WATCHDOG_USEC=100000"}
		p := m.start(t, append(freePorts(), "--drain-delay", "1h")...)
		if told := m.await(t, "READY=1"); !strings.Contains(told, "\nSTATUS=serving gRPC on 127.0.0.1:") {
			t.Errorf("told: %q", told)
		}
		m.await(t, "WATCHDOG=1")
		// Also without a file of accounts: the manager's reload is no stop.
		p.signal(t, syscall.SIGHUP)
		told := await.Value(t, m.told, "RELOADING=1")
		for strings.HasPrefix(told, "WATCHDOG") {
			told = await.Value(t, m.told, "RELOADING=1")
		}
		if !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=[1-9]\d+$`).MatchString(told) {
			t.Errorf("told: %q", told)
		}
		m.await(t, "READY=1")
		p.signal(t, syscall.SIGTERM)
		if told := m.await(t, "STOPPING=1"); !strings.Contains(told, "\nSTATUS=leaving, for 1h0m0s at most") {
			t.Errorf("told: %q", told)
		}
		p.signal(t, syscall.SIGTERM)
		if told := m.await(t, "STOPPING=1"); !strings.Contains(told, "\nSTATUS=draining, for 45s at most") {
			t.Errorf("told: %q", told)
		}
		if code := p.wait(t); code != client.ExitDone {
			t.Errorf("exit code %d:\n%s", code, p.err.String())
		}
	}
}

// A process that does not run tells the watchdog nothing, though its clock goes on.
func TestServe_Watchdog_IsToldOfAServerThatRespondsAlone(t *testing.T) {
	t.Parallel()
	m := newManager(t, abstract(t))
	m.env = []string{"WATCHDOG_USEC=100000"}
	admin := m.listen(t, "admin", "tcp", "127.0.0.1:0")
	p := m.start(t, append(freePorts(), "--max-connections", "1")...)
	m.await(t, "WATCHDOG=1")
	// One connection is all that the admin listener takes: no other gets a response.
	conn, err := net.Dial("tcp", admin.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	p.err.Await(t, "the watchdog is not told that this server is alive")
}

// askREST makes a request on a connection of its own, and returns the status.
func askREST(addr net.Addr) (string, error) {
	conn, err := net.DialTimeout(addr.Network(), addr.String(), await.Patience)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(await.Patience))
	if _, err := io.WriteString(conn, "GET /v1/integration HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.Status, nil
}

// askGRPC asks for the health over gRPC, on a connection of its own that is tried once.
func askGRPC(addr net.Addr) error {
	conn, err := grpc.NewClient("passthrough:///"+addr.String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableServiceConfig())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), await.Patience)
	defer cancel()
	_, err = healthv1.NewHealthClient(conn).Check(ctx, new(healthv1.HealthCheckRequest))
	return err
}

// While the manager keeps the sockets, a connection waits for the next process.
func TestServe_SocketsOfTheManager_RestartLosesNoConnection(t *testing.T) {
	t.Parallel()
	m := newManager(t, abstract(t))
	rpc, rest := m.listen(t, "grpc", "tcp", "127.0.0.1:0"), m.listen(t, "http", "tcp", "127.0.0.1:0")
	admin := m.listen(t, "admin", "unix", filepath.Join(t.TempDir(), "admin"))
	// The addresses of the settings mean nothing: nobody can listen on them.
	args := []string{"--upstream-url", "http://127.0.0.1:1", "--grpc-addr", "192.0.2.1:1", "--http-addr", "192.0.2.1:1", "--admin-addr", "192.0.2.1:1"}
	p := m.start(t, args...)
	m.await(t, "READY=1")
	if status, err := askREST(admin); err != nil || !strings.HasPrefix(status, "404") {
		t.Errorf("admin: %s, %v", status, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	asked := make(chan bool, 10000)
	for range 4 {
		load.Go(func() {
			for ctx.Err() == nil {
				if status, err := askREST(rest); err != nil || !strings.HasPrefix(status, "401") {
					t.Errorf("REST: %s, %v", status, err)
				}
				if err := askGRPC(rpc); err != nil {
					t.Errorf("gRPC: %v", err)
				}
				select {
				case asked <- true:
				default:
				}
			}
		})
	}
	for range 3 {
		for range 20 {
			await.Value(t, asked, "a response")
		}
		p.signal(t, syscall.SIGTERM)
		if code := p.wait(t); code != client.ExitDone {
			t.Errorf("exit code %d:\n%s", code, p.err.String())
		}
		p = m.start(t, args...)
		m.await(t, "READY=1")
	}
	cancel()
	load.Wait()
}

func TestServe_SocketsThatAreNone_AreNamed(t *testing.T) {
	t.Parallel()
	for want, names := range map[string][]string{
		`digate: a socket that was handed over has the name "digate.socket": FileDescriptorName= in its socket unit must be one of grpc, http, admin`: {"digate.socket"},
		`digate: a socket that was handed over has the name "": FileDescriptorName=`:                                                                  {""},
		`digate: two sockets with the name "grpc" were handed over: give each its own socket unit`:                                                    {"grpc", "grpc"},
	} {
		m := newManager(t, abstract(t))
		for _, name := range names {
			m.listen(t, name, "tcp", "127.0.0.1:0")
		}
		p := m.start(t, freePorts()...)
		if code := p.wait(t); code != client.ExitUsage || !strings.Contains(p.err.String(), want) {
			t.Errorf("%q: exit code %d: %s", names, code, p.err.String())
		}
	}
	m := newManager(t, abstract(t))
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	f, err := conn.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	m.names, m.sockets = []string{"grpc"}, []*os.File{f}
	p := m.start(t, freePorts()...)
	if code := p.wait(t); code != client.ExitUsage || !strings.Contains(p.err.String(), `the socket "grpc" that was handed over cannot be used: it takes no connections: its unit needs ListenStream=`) {
		t.Errorf("exit code %d: %s", code, p.err.String())
	}
}

// Sockets for another process are left alone.
func TestServe_SocketsOfAnotherProcess_AreIgnored(t *testing.T) {
	t.Parallel()
	p := new(process)
	cmd := exec.Command(binary(t), append([]string{"serve"}, freePorts()...)...)
	cmd.Env = append(rig.Environment(), "LISTEN_PID=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=x")
	cmd.Stderr = &p.err
	p.start(t, cmd)
	p.err.Await(t, `"msg":"serving"`)
}

// The real program, which hands its sockets over at the first connection. That connection
// is served.
func TestServe_SocketActivate_ServesTheConnectionThatStartedIt(t *testing.T) {
	t.Parallel()
	activate := need.Program(t, "systemd-socket-activate")
	rpc, rest := rig.FreeAddr(t), rig.FreeAddr(t)
	p := new(process)
	cmd := exec.Command(activate, append([]string{"--listen", rpc, "--listen", rest, "--fdname", "grpc:http", binary(t), "serve"}, freePorts()...)...)
	cmd.Env = rig.Environment()
	cmd.Stderr = &p.err
	p.start(t, cmd)
	p.err.Await(t, "Listening on "+rest)
	at, err := net.ResolveTCPAddr("tcp", rest)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := askREST(at); err != nil || !strings.HasPrefix(status, "401") {
		t.Errorf("%s, %v\n%s", status, err, p.err.String())
	}
}
