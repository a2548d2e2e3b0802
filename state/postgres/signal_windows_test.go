package postgres_test

import "syscall"

// Windows sends neither; a test that does fails.
const (
	sigstop = syscall.Signal(0x13)
	sigcont = syscall.Signal(0x12)
)
