package scimtest

import (
	"io"
	"os"
	"os/exec"
)

// A supervised process ends with this one, also when this one is killed: a shell waits at a pipe that
// is closed then, and sends it a signal.
type supervised struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

const supervisor = `signal=$1; shift; "$@" </dev/null & child=$!; read _; kill -s "$signal" $child; wait $child`

func supervise(signal, dir string, env []string, argv ...string) *supervised {
	cmd := exec.Command("sh", append([]string{"-c", supervisor, "sh", signal}, argv...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	return &supervised{cmd: cmd}
}

// start returns what the process writes to its standard error.
func (s *supervised) start() (output io.Reader, err error) {
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if output, err = s.cmd.StderrPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.stdin = stdin
	return output, nil
}

func (s *supervised) stop() {
	if s == nil || s.stdin == nil {
		return
	}
	s.stdin.Close()
	_ = s.cmd.Wait() // ended by a signal
	s.stdin = nil
}
