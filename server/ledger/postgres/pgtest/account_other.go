//go:build !linux

package pgtest

import "syscall"

// account returns nil: the server runs as the account that runs the test.
func account() (*syscall.Credential, error) { return nil, nil }

func attributes(*syscall.Credential) *syscall.SysProcAttr { return nil }
