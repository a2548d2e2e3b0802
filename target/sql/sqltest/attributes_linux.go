package sqltest

import "syscall"

// attributes have the server run as an account and end with the test, also when that is killed.
func attributes(as *account) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if as != nil {
		a.Credential = &syscall.Credential{Uid: uint32(as.user), Gid: uint32(as.group)}
	}
	return a
}
