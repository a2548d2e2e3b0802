package wire

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"entrasync/target"
)

// trusted refuses a program that any user of this machine could replace: it gets the target's secrets and decides who
// has an account. Scripts that an interpreter is given are looked at, too.
func trusted(command []string) error {
	for i, word := range command {
		if !filepath.IsAbs(word) {
			continue
		}
		real, err := filepath.EvalSymlinks(word)
		if err != nil {
			if i == 0 {
				return untrusted(word, "cannot be found: "+err.Error(), "write the absolute path of the program under command")
			}
			continue // an argument that is no file
		}
		info, err := os.Stat(real)
		if err != nil || !info.Mode().IsRegular() {
			if i == 0 {
				return untrusted(word, "is not a program", "write the absolute path of the program under command")
			}
			continue
		}
		if runtime.GOOS == "windows" {
			continue // it has no mode bits; who may write is in access control lists, which are not looked at
		}
		if info.Mode().Perm()&0o002 != 0 {
			return untrusted(word, fmt.Sprintf("can be written by every user of this machine (mode %04o)", info.Mode().Perm()), "run: chmod o-w "+word)
		}
		folder, err := os.Stat(filepath.Dir(real))
		if err == nil && folder.Mode().Perm()&0o002 != 0 && folder.Mode()&fs.ModeSticky == 0 {
			return untrusted(word, "is in a folder that every user of this machine can write to", "run: chmod o-w "+filepath.Dir(real))
		}
	}
	return nil
}

func untrusted(program, what, hint string) error {
	return &target.Error{Op: "start program", Code: target.Untrusted, Message: program + " " + what, Hint: hint}
}
