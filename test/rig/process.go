package rig

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

const (
	// drainTime is digate's shutdown timeout. The end may take grace longer.
	drainTime = 10 * time.Second
	grace     = 10 * time.Second
)

// Environment returns the environment of a digate: it has no proxy and no settings.
func Environment() []string {
	return []string{"HOME=" + os.Getenv("HOME"), "GODEBUG=netdns=go", "GORACE=atexit_sleep_ms=50"}
}

// Process is a command under way.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start starts the command.
func Start(cmd *exec.Cmd) (*Process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait()
	}()
	return p, nil
}

// PID returns the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended returns a channel that is closed when the process has ended and all of its
// output was read.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// State returns how the process ended, nil while it runs.
func (p *Process) State() *os.ProcessState {
	select {
	case <-p.ended:
		return p.cmd.ProcessState
	default:
		return nil
	}
}

// Signal sends a signal. It is an error if the process has ended.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Kill ends the process at once (SIGKILL). It may be called again.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Stop ends the process as its operator does (SIGTERM). It returns an error unless
// the process then ends in time and with exit code 0.
func (p *Process) Stop() error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(drainTime + grace):
		p.Kill()
		return errors.New("SIGTERM did not end it")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("exit code %d after SIGTERM", code)
	}
	return nil
}

// Memory returns what the process has in memory, in MiB: now (VmRSS), or at most so
// far (VmHWM). It fails on a system without /proc, and once the process has ended.
func (p *Process) Memory(key string) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if value, ok := bytes.CutPrefix(line, []byte(key+":")); ok {
			kib, err := strconv.Atoi(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))))
			return float64(kib) / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc has no %s", key)
}
