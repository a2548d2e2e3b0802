//go:build !linux

package ldaptest

import "syscall"

// attributes are the usual ones: only Linux ends a process with its parent.
func attributes() *syscall.SysProcAttr { return nil }
