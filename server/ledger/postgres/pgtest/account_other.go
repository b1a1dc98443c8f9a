//go:build !linux

package pgtest

import "syscall"

// owner is the account that a process runs as.
type owner struct{ Uid, Gid uint32 }

// account returns nil: the server runs as the account that runs the test.
func account() (*owner, error) { return nil, nil }

func attributes(*owner) *syscall.SysProcAttr { return nil }
