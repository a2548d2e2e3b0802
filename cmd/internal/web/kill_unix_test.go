//go:build unix

package web_test

import (
	"os/exec"
	"syscall"
)

// killWhole has the end of a command's context end what it has started, too.
func killWhole(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
