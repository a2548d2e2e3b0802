//go:build unix

package postgres_test

import "syscall"

// What makes a process stand still, and run again.
const (
	sigstop = syscall.SIGSTOP
	sigcont = syscall.SIGCONT
)
