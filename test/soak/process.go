package soak

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// addresses are those of a digate's listeners.
type addresses struct{ grpc, rest, admin string }

// process is a digate of its own.
type process struct {
	cmd   *exec.Cmd
	log   string // file
	at    addresses
	ended chan struct{}
	http  *http.Client
}

// drainTime is digate's shutdown timeout.
const drainTime = 10 * time.Second

// launch starts the binary as a server and returns when it serves. Its environment
// has no proxy and no settings.
func launch(binary, logFile string, args ...string) (*process, error) {
	out, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	p := &process{
		cmd: exec.Command(binary, append([]string{
			"serve", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--admin-pprof",
			"--shutdown-timeout", drainTime.String(),
		}, args...)...),
		log: logFile, ended: make(chan struct{}),
		// One connection for each request, so that reading does not change the figures.
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second},
	}
	p.cmd.Env = []string{"HOME=" + os.Getenv("HOME"), "GODEBUG=netdns=go", "GORACE=atexit_sleep_ms=50"}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	if err := poll(20*time.Second, func() error {
		select {
		case <-p.ended:
			return errors.New("it ended")
		default:
		}
		return p.readAddresses()
	}); err != nil {
		p.kill()
		return nil, fmt.Errorf("digate does not serve: %w\n%s", err, p.tail())
	}
	return p, nil
}

func (p *process) readAddresses() error {
	log, err := os.ReadFile(p.log)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(log) {
		var said struct{ Msg, GRPC, REST, Admin string }
		if json.Unmarshal(line, &said) == nil && said.Msg == "serving" {
			p.at = addresses{said.GRPC, said.REST, said.Admin}
			return nil
		}
	}
	return errors.New("it has not said where")
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// tail returns the end of the log.
func (p *process) tail() []byte {
	log, _ := os.ReadFile(p.log)
	return log[max(0, len(log)-4000):]
}

// get returns a page of the admin listener.
func (p *process) get(path string) (string, error) {
	resp, err := p.http.Get("http://" + p.at.admin + path)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New(resp.Status))
	}
	return string(body), errors.Join(err, resp.Body.Close())
}

// footprint is what a process holds at one moment.
type footprint struct {
	goroutines, sockets int
	heap                int64 // live bytes after a collection
}

func (p *process) footprint() (footprint, error) {
	var f footprint
	goroutines, err := p.get("/debug/pprof/goroutine?debug=1")
	if err != nil {
		return f, err
	}
	n, err := numberAfter(goroutines, "goroutine profile: total ")
	if err != nil {
		return f, err
	}
	f.goroutines = int(n)
	if f.sockets, err = p.sockets(); err != nil {
		return f, err
	}
	for range 2 { // the second collection empties the pools
		heap, err := p.get("/debug/pprof/heap?gc=1&debug=1")
		if err != nil {
			return f, err
		}
		if f.heap, err = numberAfter(heap, "# HeapAlloc = "); err != nil {
			return f, err
		}
	}
	return f, nil
}

// sockets returns the number of sockets that the process has, 0 where the system
// does not tell.
func (p *process) sockets() (int, error) {
	dir := filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "fd")
	fds, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n, err
}

func numberAfter(text, mark string) (int64, error) {
	_, rest, ok := strings.Cut(text, mark)
	if !ok {
		return 0, fmt.Errorf("no %q", mark)
	}
	number, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseInt(strings.TrimSpace(number), 10, 64)
}

// sum returns the sum of a metric's series.
func (p *process) sum(metric string) (total int, err error) {
	text, err := p.get("/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if series, value, ok := strings.Cut(line, "} "); ok && strings.HasPrefix(series, metric+"{") {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				return 0, err
			}
			total += int(n)
		}
	}
	return total, nil
}

// terminate sends SIGTERM and returns an error unless the process then ends in
// time and with exit code 0.
func (p *process) terminate() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(drainTime + grace):
		p.kill()
		return errors.New("SIGTERM did not end it")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("exit code %d after SIGTERM", code)
	}
	return nil
}

// readLog counts the access lines. It returns the lines that must not be in the log.
func (p *process) readLog() (accessLines int, bad []string, err error) {
	f, err := os.Open(p.log)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var said struct{ Level, Msg string }
		text := lines.Text()
		switch err := json.Unmarshal(lines.Bytes(), &said); {
		case err != nil && text != "":
			bad = append(bad, text) // a panic, a report of the race detector
		case said.Msg == "call" && said.Level != "ERROR":
			accessLines++
		case said.Level == "ERROR":
			bad = append(bad, text)
		}
	}
	return accessLines, bad, lines.Err()
}

// poll tries until it succeeds. At the end of the time it returns the last error.
func poll(within time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}
