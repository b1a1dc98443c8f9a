// Package process starts the processes that are compared, and reads what each has
// used: time of a processor, memory, allocations.
package process

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long a start or an end may take.
const patience = 20 * time.Second

// Serving is the line of a process's output that says where it serves.
type Serving struct {
	Msg   string `json:"msg"` // serving
	GRPC  string `json:"grpc,omitempty"`
	REST  string `json:"rest,omitempty"`
	Admin string `json:"admin,omitempty"`
}

// Announce writes the line.
func (s Serving) Announce(w io.Writer) error {
	s.Msg = "serving"
	return json.NewEncoder(w).Encode(s)
}

// Process is a command under way, with the processes that it has started.
type Process struct {
	Serving

	cmd   *exec.Cmd
	log   string
	ended chan struct{}
	http  *http.Client
}

// Start starts a command and returns once it serves. Its output goes straight to a
// file in the directory, so that nobody spends time on reading it. If serving has
// an address, the process has no line of its own and serves once the address takes
// connections.
func Start(cmd *exec.Cmd, dir string, serving Serving) (*Process, error) {
	log, err := os.CreateTemp(dir, filepath.Base(cmd.Path)+".*.log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, attributes()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{
		Serving: serving, cmd: cmd, log: log.Name(), ended: make(chan struct{}),
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute},
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait()
	}()
	if err := p.await(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w\n%s", cmd, err, p.tail()), p.Stop())
	}
	return p, nil
}

// each calls f for the process and for each that it has started.
func (p *Process) each(f func(pid int) error) error {
	started, err := children(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	for _, pid := range append(started, p.cmd.Process.Pid) {
		if err := f(pid); err != nil {
			return err
		}
	}
	return nil
}

// await returns once the process serves.
func (p *Process) await() error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	over := time.After(patience)
	for {
		if p.serves() {
			return nil
		}
		select {
		case <-again.C:
		case <-p.ended:
			return errors.New("it ended before it served")
		case <-over:
			return errors.New("it does not serve")
		}
	}
}

func (p *Process) serves() bool {
	if addr := cmp.Or(p.GRPC, p.REST); addr != "" && p.Msg == "" {
		conn, err := net.Dial("tcp", addr)
		return err == nil && conn.Close() == nil
	}
	b, err := os.ReadFile(p.log)
	if err != nil {
		return false
	}
	for line := range bytes.Lines(b) {
		if s := (Serving{}); json.Unmarshal(line, &s) == nil && s.Msg == "serving" {
			p.Serving = s
			return true
		}
	}
	return false
}

// tail returns the end of the output.
func (p *Process) tail() []byte {
	b, _ := os.ReadFile(p.log)
	return b[max(0, len(b)-4000):]
}

// Stop ends the process, with SIGKILL if SIGTERM does not do it.
func (p *Process) Stop() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s ended by itself: %s\n%s", p.cmd.Path, p.cmd.ProcessState, p.tail())
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	return nil
}

// OwnCPU returns the time of a processor that this process has used, user and system.
func OwnCPU() (time.Duration, error) { return cpuTime(os.Getpid()) }

// CPU returns the time of a processor that the process has used so far, user and
// system.
func (p *Process) CPU() (total time.Duration, err error) {
	err = p.each(func(pid int) error {
		used, err := cpuTime(pid)
		total += used
		return err
	})
	return total, err
}

// Allocated is what a process has allocated so far.
type Allocated struct{ Objects, Bytes float64 }

// Allocated returns what the process has allocated, by its own runtime's metrics;
// zero for a process without any. What it allocates to say so is in the next one.
func (p *Process) Allocated() (Allocated, error) {
	if p.Admin == "" {
		return Allocated{}, nil
	}
	text, err := p.get("/metrics", nil)
	return Allocated{metric(text, "go_memstats_mallocs_total"), metric(text, "go_memstats_alloc_bytes_total")}, err
}

// Resident returns what the process has in memory, in bytes.
func (p *Process) Resident() (total int, err error) {
	err = p.each(func(pid int) error {
		n, err := resident(pid)
		total += n
		return err
	})
	return total, err
}

// metric returns the value of a metric without labels, 0 if there is none.
func metric(text, name string) float64 {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return v
		}
	}
	return 0
}

// Do asks the process's admin listener for something, and decodes its JSON into
// result, unless that is nil.
func (p *Process) Do(path string, query url.Values, result any) error {
	text, err := p.get(path, query)
	if err != nil || result == nil {
		return err
	}
	return json.Unmarshal([]byte(text), result)
}

func (p *Process) get(path string, query url.Values) (string, error) {
	resp, err := p.http.Get("http://" + p.Admin + path + "?" + query.Encode())
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(bufio.NewReader(resp.Body))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s of %s: %s: %s", path, p.cmd.Path, resp.Status, body)
	}
	return string(body), err
}
