package admin

import (
	"fmt"
	"os"
	"syscall"
)

// maxPath is how long the address of a unix socket can be (unix(7), sun_path).
const maxPath = 107

// through returns a short path of an open directory.
func through(dir *os.File) (string, error) { return fmt.Sprintf("/proc/self/fd/%d", dir.Fd()), nil }

// restrict lets none but the user of this process connect.
func restrict(socket string) error { return os.Chmod(socket, 0o600) }

// peer asks for the user at the other end of a socket (SO_PEERCRED).
func peer(fd uintptr) (caller, error) {
	of, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	if err != nil {
		return caller{}, err
	}
	return caller{uid: of.Uid}, nil
}
