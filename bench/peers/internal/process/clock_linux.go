package process

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the time of a processor that the process has used, user and
// system, of all its threads, to the nanosecond: its CPU clock (CPUCLOCK_SCHED of
// the kernel's posix-timers.h), which clock_getcpuclockid(3) finds the same way.
func cpuTime(pid int) (time.Duration, error) {
	const sched = 2
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|sched, &at); err != nil {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(at.Nano()), nil
}

// attributes make a process, which may have processes of its own, end with the one that
// started it, however that ends.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
