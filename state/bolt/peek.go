package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"entrasync/state/kv"
)

// OpenReadOnly opens a file to look at it. current is false when it is not of the present version:
// then it has to be opened as usual, which migrates it or says what is wrong with it.
func OpenReadOnly(path string, s *kv.Schema, of string) (f *File, current bool, err error) {
	f = &File{path: path}
	options := &bbolt.Options{ReadOnly: true, Timeout: time.Second, NoStatistics: true, OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
		var err error
		f.os, err = os.OpenFile(name, flag, mode)
		return f.os, err
	}}
	err = f.guard(func() (err error) {
		f.db, err = bbolt.Open(path, 0o600, options)
		return err
	})
	switch damaged := (*DamagedError)(nil); {
	case errors.As(err, &damaged):
		return nil, false, errors.Join(err, f.abandon())
	case err != nil:
		return nil, false, fmt.Errorf("look at state file %s: %w", path, err)
	}
	err = f.raw(false, func(b *bbolt.Tx) error {
		if meta := b.Bucket([]byte(kv.Meta)); meta != nil {
			version := meta.Get(keySchema)
			current = string(meta.Get(keyKind)) == s.Kind && string(meta.Get(keyOf)) == of &&
				len(version) == 4 && int(binary.BigEndian.Uint32(version)) == s.Version()
			f.checksums = current && s.Checksums != 0
		}
		return nil
	})
	if err != nil {
		return nil, false, errors.Join(err, f.Close())
	}
	return f, current, nil
}
