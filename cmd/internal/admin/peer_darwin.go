package admin

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// maxPath is how long the address of a unix socket can be (unix(4), sun_path).
const maxPath = 103

// through has no short path to offer: macOS has no names for open directories.
func through(dir *os.File) (string, error) {
	return "", fmt.Errorf("the path of %s is longer than a socket may have on this system (%d bytes with its name); name a shorter one in `state`", dir.Name(), maxPath)
}

// restrict lets none but the user of this process connect.
func restrict(socket string) error { return os.Chmod(socket, 0o600) }

// peer asks for the user at the other end of a socket (LOCAL_PEERCRED).
func peer(fd uintptr) (caller, error) {
	of, err := unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return caller{}, err
	}
	return caller{uid: of.Uid}, nil
}
