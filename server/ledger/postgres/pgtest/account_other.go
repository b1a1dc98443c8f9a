//go:build !linux

package pgtest

import "syscall"

// account is nil: the server runs as whoever runs the test.
func account() (*syscall.Credential, error) { return nil, nil }

func attributes(*syscall.Credential) *syscall.SysProcAttr { return nil }
