// Package outfile writes the files that a command line names, readable by their owner only.
//
// It knows nothing of what is in them. It promises that no file is overwritten without being asked for, and that
// a file which takes long to write has its name only when it is complete and on disk.
package outfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"entrasync/cmd/internal/advice"
)

// Create writes a file that is not there yet; with force it may be, and is overwritten.
func Create(name, content string, force bool) error {
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(name, mode, 0o600)
	if errors.Is(err, os.ErrExist) {
		return advice.With(fmt.Errorf("%s exists already", name), "choose another name, or overwrite it with --force")
	}
	if err != nil {
		return fmt.Errorf("write a new file: %w", err)
	}
	_, err = file.WriteString(content)
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write a new file: %w", err)
	}
	return nil
}

// Replace writes a file under another name, which takes its own when it is complete and on disk. After an error
// a former file of the name is as it was.
func Replace(name string, write func(io.Writer) error) error {
	return ReplaceVerified(name, write, func(io.Reader) error { return nil })
}

// ReplaceVerified is Replace with a look at what is on disk: the file takes its name when verify accepts it.
func ReplaceVerified(name string, write func(io.Writer) error, verify func(io.Reader) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = verify(f)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
