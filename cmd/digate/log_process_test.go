package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

// pipeLines is how many log lines are surely more than a pipe holds.
const pipeLines = 2000

// serveInto starts a server whose standard error is a pipe, and returns its REST
// and admin addresses, and the end of the pipe that nobody reads from then on.
func serveInto(t *testing.T) (p *process, rest, admin string, stderr *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	cmd := rig.ServeCommand(binary(t), "--upstream-url", "http://127.0.0.1:1")
	cmd.Stderr = w
	p = new(process)
	p.start(t, cmd)
	_ = w.Close()
	lines := bufio.NewReader(r)
	for {
		text, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		var line struct{ Msg, REST, Admin string }
		if json.Unmarshal([]byte(text), &line) == nil && line.Msg == "serving" {
			return p, line.REST, line.Admin, r
		}
	}
}

// ask makes calls that write a log line each, and fails where one gets no response.
func ask(t *testing.T, addr string, calls int) {
	t.Helper()
	c := &http.Client{Timeout: await.Patience}
	defer c.CloseIdleConnections()
	for range calls {
		resp, err := c.Get("http://" + addr + "/nothing")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusNotFound {
			t.Fatal(resp.Status)
		}
	}
}

var linesLost = regexp.MustCompile(`(?m)^digate_log_lines_lost_total (\d+)$`)

// lost returns the number of lost log lines that the metrics show.
func lost(t *testing.T, admin string) int {
	t.Helper()
	c := &http.Client{Timeout: await.Patience}
	defer c.CloseIdleConnections()
	resp, err := c.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	m := linesLost.FindSubmatch(text)
	if m == nil {
		t.Fatal("no metric of lost lines")
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestServe_LogReaderGone_GoesOnAndCounts(t *testing.T) {
	p, rest, admin, stderr := serveInto(t)
	_ = stderr.Close()
	ask(t, rest, 100)
	if err := await.Poll(await.Patience, p.Ended(), func() error {
		if lost(t, admin) > 0 {
			return nil
		}
		ask(t, rest, 1)
		return errors.New("no line was counted as lost")
	}); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestServe_LogIsNotRead_GoesOnAndEnds(t *testing.T) {
	p, rest, _, _ := serveInto(t)
	ask(t, rest, pipeLines)
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestServe_NobodyReadsTheErrorThatEndsIt_Ends(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, args := range [][]string{
		{"serve", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"},
		{"dev", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--emulator-addr", "127.0.0.1:0"},
	} {
		cmd := exec.Command(binary(t), append(args, "--grpc-addr", taken.Addr().String())...)
		cmd.Stderr = fullPipe(t)
		p := new(process)
		p.start(t, cmd)
		if code := p.wait(t); code != 1 {
			t.Errorf("%s: exit code %d", args[0], code)
		}
	}
}

// Whoever starts a stand-in for its tests need not read what it says.
func TestStandIn_NobodyReadsItsFirstWords_Serves(t *testing.T) {
	addr := rig.FreeAddr(t)
	c := &http.Client{Timeout: await.Patience}
	defer c.CloseIdleConnections()
	for _, args := range [][]string{
		{"emulator", "--emulator-addr", addr},
		{"dev", "--emulator-addr", addr, "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"},
	} {
		cmd := exec.Command(binary(t), args...)
		p := new(process)
		cmd.Stdout, cmd.Stderr = fullPipe(t), &p.err
		p.start(t, cmd)
		if args[0] == "dev" {
			p.err.Await(t, `"msg":"serving"`)
		}
		if err := await.Poll(await.Patience, p.Ended(), func() error {
			resp, err := c.Get("http://" + addr + "/nothing")
			if err == nil {
				_ = resp.Body.Close()
			}
			return err
		}); err != nil {
			t.Errorf("%s: %v", args[0], err)
		}
		p.signal(t, syscall.SIGTERM)
		if code := p.wait(t); code != 0 {
			t.Errorf("%s: exit code %d", args[0], code)
		}
	}
}

// fullPipe returns the end of a pipe that takes nothing more.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	for err == nil {
		if err = w.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)); err == nil {
			_, err = w.Write(make([]byte, 4096))
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return w
}
