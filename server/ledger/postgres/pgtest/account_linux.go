package pgtest

import (
	"errors"
	"os"
	osuser "os/user"
	"strconv"
	"syscall"
)

// owner is the account that a process runs as.
type owner = syscall.Credential

// account returns the account that the server runs as, since PostgreSQL refuses to
// run as root. It is nil for the account that runs the test.
func account() (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := osuser.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, err
		}
		return &owner{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("no user postgres or nobody to run PostgreSQL as")
}

// attributes make a process run as the account and end with the process that
// started it.
func attributes(account *owner) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: account, Pdeathsig: syscall.SIGQUIT}
}
