package soak

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/digate/digate/test/rig"
)

// footprint is what a process holds at one moment.
type footprint struct {
	goroutines, sockets int
	heap                int64 // live bytes after a collection
}

// footprints are those of a process before and after the calls.
type footprints struct{ before, after footprint }

func (f footprints) String() string {
	return fmt.Sprintf("goroutines %d → %d, sockets %d → %d, heap %d → %d kB",
		f.before.goroutines, f.after.goroutines, f.before.sockets, f.after.sockets, f.before.heap>>10, f.after.heap>>10)
}

func footprintOf(s *rig.Server) (footprint, error) {
	var f footprint
	profile, err := s.Get("/debug/pprof/goroutine?debug=1")
	if err != nil {
		return f, err
	}
	if _, err := fmt.Sscanf(profile, "goroutine profile: total %d", &f.goroutines); err != nil {
		return f, err
	}
	if f.sockets, err = sockets(s.PID()); err != nil {
		return f, err
	}
	heap, err := s.Heap()
	f.heap = int64(heap)
	return f, err
}

// sockets returns the number of sockets that the process has, 0 on a system without
// /proc.
func sockets(pid int) (int, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
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

// leftBehind returns what a process holds that it did not hold before.
func leftBehind(before, after footprint, heapAllowance int64) error {
	var errs []error
	if after.goroutines > before.goroutines+goroutineAllowance {
		errs = append(errs, fmt.Errorf("%d goroutines, %d before", after.goroutines, before.goroutines))
	}
	if after.sockets > before.sockets {
		errs = append(errs, fmt.Errorf("%d sockets, %d before", after.sockets, before.sockets))
	}
	if after.heap > before.heap+heapAllowance {
		errs = append(errs, fmt.Errorf("%d bytes of heap, %d before", after.heap, before.heap))
	}
	return errors.Join(errs...)
}
