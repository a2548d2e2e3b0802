//go:build unix

package wire

import (
	"os"
	"os/exec"
	"syscall"
)

// apart has a program start in a process group of its own.
func apart(program *exec.Cmd) { program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// A group is a program and what it has started.
type group struct{ leader int }

func groupOf(leader *os.Process) *group { return &group{leader.Pid} }

func (g *group) signal(s syscall.Signal) { _ = syscall.Kill(-g.leader, s) }

func (g *group) close() {}
