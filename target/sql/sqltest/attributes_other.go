//go:build !linux

package sqltest

import "syscall"

// attributes are the usual ones: only Linux ends a process with its parent.
func attributes(*account) *syscall.SysProcAttr { return nil }
