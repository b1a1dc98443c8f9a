// Package rig starts the processes that tests of digate need, and stands in for Diga.
// A process can be killed at any moment, and the stand-in keeps lists of what it
// created.
package rig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// startTime is how long the start of a server may take.
const startTime = 30 * time.Second

// Server is a serving digate in a process of its own.
type Server struct {
	*Process

	// GRPC, REST and Admin are the addresses of its listeners.
	GRPC, REST, Admin string

	log string
}

// Serve starts the binary as a server, as [ServeCommand] says, and returns when it
// serves. The log is appended to the file.
func Serve(binary, logFile string, args ...string) (*Server, error) {
	return StartServer(ServeCommand(binary, args...), logFile)
}

// ServeCommand returns the command that runs the binary as a server on free
// loopback ports, with more arguments.
func ServeCommand(binary string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary, append([]string{
		"serve", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--admin-pprof", "--open-reflection",
		"--shutdown-timeout", drainTime.String(),
	}, args...)...)
	cmd.Env = Environment()
	return cmd
}

// StartServer starts a command that is a server, and returns when it serves. Its
// log, which is its output, is appended to the file. Like digate's, it has a line
// with the message "serving" and the addresses.
func StartServer(cmd *exec.Cmd, logFile string) (*Server, error) {
	file, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	log := &serverLog{file: file, serving: make(chan addresses, 1)}
	cmd.Stdout, cmd.Stderr = log, log
	s := &Server{log: logFile}
	if s.Process, err = Start(cmd); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	go func() {
		<-s.Ended()
		_ = file.Close()
	}()
	select {
	case at := <-log.serving:
		s.GRPC, s.REST, s.Admin = at.GRPC, at.REST, at.Admin
		return s, nil
	case <-s.Ended():
		return nil, fmt.Errorf("the server ended before it served\n%s", s.tail())
	case <-time.After(startTime):
		s.Kill()
		return nil, fmt.Errorf("the server does not serve\n%s", s.tail())
	}
}

// serverLog writes the log of a server, and finds the addresses in it.
type serverLog struct {
	serving chan addresses // gets one value

	mu    sync.Mutex
	file  *os.File
	line  []byte // begun and not ended
	found bool
}

// addresses are those of a server's listeners.
type addresses struct{ GRPC, REST, Admin string }

// Write implements [io.Writer].
func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.file.Write(p)
	for rest := p; !l.found; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		l.line = append(l.line, line...)
		if !ended {
			break
		}
		var logged struct {
			Msg string
			addresses
		}
		if json.Unmarshal(l.line, &logged) == nil && logged.Msg == "serving" {
			l.found = true
			l.serving <- logged.addresses
		}
		l.line, rest = l.line[:0], after
	}
	return n, err
}

// Stop does what [Process.Stop] does. Its error has the end of the log.
func (s *Server) Stop() error {
	if err := s.Process.Stop(); err != nil {
		return fmt.Errorf("%w\n%s", err, s.tail())
	}
	return nil
}

// tail returns the end of the log.
func (s *Server) tail() []byte {
	log, _ := os.ReadFile(s.log)
	return log[max(0, len(log)-4000):]
}

// Get returns a page of the admin listener. Every request has a connection of its
// own, so that reading leaves nothing behind at the server.
func (s *Server) Get(path string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := client.Get("http://" + s.Admin + path)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("%s: %s", path, resp.Status))
	}
	return string(body), errors.Join(err, resp.Body.Close())
}

// Metric returns the sum of a metric's series. It is an error if there are none.
func (s *Server) Metric(name string) (total float64, err error) {
	text, err := s.Get("/metrics")
	if err != nil {
		return 0, err
	}
	found := false
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' ')+1:]), 64)
		if err != nil {
			return 0, err
		}
		total, found = total+n, true
	}
	if !found {
		return 0, fmt.Errorf("there is no metric %s", name)
	}
	return total, nil
}

// Heap returns what the heap of the server holds once all is collected that can be,
// in bytes. Pools give up what they hold at the second collection.
func (s *Server) Heap() (float64, error) {
	for range 2 {
		if _, err := s.Get("/debug/pprof/heap?gc=1"); err != nil {
			return 0, err
		}
	}
	return s.Metric("go_memstats_heap_alloc_bytes")
}
