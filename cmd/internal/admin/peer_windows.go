package admin

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// maxPath is how long the address of a unix socket can be (UNIX_PATH_MAX of afunix.h, less its end).
const maxPath = 107

// through has no short path to offer.
func through(dir *os.File) (string, error) {
	return "", fmt.Errorf("the path of %s is longer than a socket may have on this system (%d bytes with its name); name a shorter one in `state`", dir.Name(), maxPath)
}

// restrict changes nothing: Windows has no mode bits. Who may connect follows from the access control list of the
// folder; each caller is still admitted by account, see peer.
func restrict(string) error { return nil }

// peerProcess asks for the process at the other end of a unix socket (SIO_AF_UNIX_GETPEERPID of afunix.h).
const peerProcess = 0x58000100

// peer admits processes of the account that this one runs as, of LocalSystem, and of administrators whose
// token is elevated. Windows numbers no users, so the caller's number is always 0.
func peer(fd uintptr) (caller, error) {
	var id, size uint32
	err := windows.WSAIoctl(windows.Handle(fd), peerProcess, nil, 0, (*byte)(unsafe.Pointer(&id)), uint32(unsafe.Sizeof(id)), &size, nil, 0)
	if err != nil {
		return caller{}, fmt.Errorf("ask which process it is: %w", err)
	}
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, id)
	if err != nil {
		return caller{}, fmt.Errorf("look at process %d: %w", id, err)
	}
	defer windows.CloseHandle(process)
	var token windows.Token
	if err := windows.OpenProcessToken(process, windows.TOKEN_QUERY, &token); err != nil {
		return caller{}, fmt.Errorf("look at the account of process %d: %w", id, err)
	}
	defer token.Close()
	theirs, err1 := token.GetTokenUser()
	ours, err2 := windows.GetCurrentProcessToken().GetTokenUser()
	if err := errors.Join(err1, err2); err != nil {
		return caller{}, fmt.Errorf("look at the account of process %d: %w", id, err)
	}
	name := theirs.User.Sid.String()
	if account, domain, _, err := theirs.User.Sid.LookupAccount(""); err == nil {
		name = domain + `\` + account
	}
	if !theirs.User.Sid.Equals(ours.User.Sid) && !theirs.User.Sid.IsWellKnown(windows.WinLocalSystemSid) && !token.IsElevated() {
		return caller{}, fmt.Errorf("%s may not use this service; run the command as the account of the service or as an administrator", name)
	}
	return caller{name: name}, nil
}
