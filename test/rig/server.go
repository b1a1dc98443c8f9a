// Package rig starts what a test of digate as a process needs: the process, which
// can be killed at any moment, and a stand-in for Diga that keeps the list of the
// copies it made.
package rig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	// startTime is how long the start of a digate may take.
	startTime = 30 * time.Second
	// drainTime is digate's shutdown timeout. The end may take grace longer.
	drainTime = 10 * time.Second
	grace     = 10 * time.Second
)

// Build builds the digate of this tree at the path. With race, the binary has the
// race detector in it.
func Build(path string, race bool) error {
	args := []string{"build", "-o", path}
	if race {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "github.com/digate/digate/cmd/digate")...).CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// Environment returns the environment of a digate: it has no proxy and no settings.
func Environment() []string {
	return []string{"HOME=" + os.Getenv("HOME"), "GODEBUG=netdns=go", "GORACE=atexit_sleep_ms=50"}
}

// Server is a serving digate in a process of its own.
type Server struct {
	// GRPC, REST and Admin are the addresses of its listeners.
	GRPC, REST, Admin string

	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

// Serve starts the binary as a server and returns when it serves. It listens on
// free loopback ports; the arguments follow those that say so. The log is appended
// to the file.
func Serve(binary, logFile string, args ...string) (*Server, error) {
	return ServeIn(nil, binary, logFile, args...)
}

// ServeIn does what [Serve] does, with more variables in the environment.
func ServeIn(environment []string, binary, logFile string, args ...string) (*Server, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	info, err := out.Stat()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cmd: exec.Command(binary, append([]string{
			"serve", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--admin-pprof",
			"--shutdown-timeout", drainTime.String(),
		}, args...)...),
		log: logFile, ended: make(chan struct{}),
	}
	s.cmd.Env = append(Environment(), environment...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait()
	}()
	deadline, again := time.After(startTime), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for {
		if s.readAddresses(info.Size()) {
			return s, nil
		}
		select {
		case <-again.C:
		case <-s.ended:
			return nil, fmt.Errorf("digate ended before it served\n%s", s.tail())
		case <-deadline:
			s.Kill()
			return nil, fmt.Errorf("digate does not serve\n%s", s.tail())
		}
	}
}

// readAddresses looks for the log line with the addresses, after the offset. It
// reports whether it found one.
func (s *Server) readAddresses(offset int64) bool {
	log, err := os.ReadFile(s.log)
	if err != nil {
		return false
	}
	for line := range bytes.Lines(log[offset:]) {
		var logged struct{ Msg, GRPC, REST, Admin string }
		if json.Unmarshal(line, &logged) == nil && logged.Msg == "serving" {
			s.GRPC, s.REST, s.Admin = logged.GRPC, logged.REST, logged.Admin
			return true
		}
	}
	return false
}

// PID returns the id of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Kill ends the process at once (SIGKILL). It may be called again.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// Stop ends the process as its operator does (SIGTERM), and is an error unless
// it then ends in time and with exit code 0.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.ended:
	case <-time.After(drainTime + grace):
		s.Kill()
		return errors.New("SIGTERM did not end it")
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("exit code %d after SIGTERM\n%s", code, s.tail())
	}
	return nil
}

// tail is the end of the log.
func (s *Server) tail() []byte {
	log, _ := os.ReadFile(s.log)
	return log[max(0, len(log)-4000):]
}
