package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"entrasync/state/kv"
	"entrasync/state/osfile"
)

// errNoChecksums means that a file is older than checksums.
var errNoChecksums = errors.New("the state file has no checksums")

// upgradeChunk bounds the bytes of a transaction while a file is copied.
const upgradeChunk = 4 << 20

// addChecksums replaces the file, which stays open for reading, by a copy whose values carry
// checksums. The copy takes the file's name when it is complete and on disk: an upgrade that is
// interrupted starts again, and its memory does not grow with the file.
func (f *File) addChecksums(s *kv.Schema) error {
	fail := func(err error) error {
		return fmt.Errorf("add checksums to state file %s: %w", f.path, Explain(err))
	}
	name := f.path + ".upgrade"
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{
		NoSync: true, FreelistType: bbolt.FreelistMapType, NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			return osfile.OpenOwn(name, flag|os.O_EXCL, mode)
		},
	})
	if err != nil {
		return fail(err)
	}
	u := &upgrade{db: db}
	err = f.raw(false, func(b *bbolt.Tx) error {
		return b.ForEach(func(name []byte, from *bbolt.Bucket) error { return u.bucket([]string{string(name)}, from) })
	})
	if err == nil {
		err = u.commit()
	}
	if err == nil {
		err = errors.Join(db.Update(func(b *bbolt.Tx) error { return putVersion(b, s.Checksums) }), db.Sync())
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return errors.Join(fail(err), os.Remove(name))
	}
	if err := os.Rename(name, f.path); err != nil {
		return fail(err)
	}
	return osfile.SyncDir(filepath.Dir(f.path))
}

// An upgrade writes the copy, in the order of the keys.
type upgrade struct {
	db   *bbolt.DB
	tx   *bbolt.Tx // nil between two chunks
	size int
}

func (u *upgrade) bucket(path []string, from *bbolt.Bucket) error {
	to, err := u.open(path)
	if err != nil {
		return err
	}
	if err := to.SetSequence(from.Sequence()); err != nil {
		return err
	}
	name := strings.Join(path, "\x00")
	seed := seedOf(name)
	if err := u.mark(name); err != nil {
		return err
	}
	return from.ForEach(func(key, value []byte) error {
		if value == nil {
			return u.bucket(append(slices.Clone(path), string(key)), from.Bucket(key))
		}
		to, err := u.open(path)
		if err != nil {
			return err
		}
		to.FillPercent = 0.9
		value = slices.Clone(value)
		if len(path) > 1 || path[0] != kv.Meta || !slices.Contains(headerKeys, string(key)) {
			value = binary.BigEndian.AppendUint32(value, checksum(seed, key, value))
		}
		if err := to.Put(key, value); err != nil {
			return err
		}
		if u.size += len(key) + len(value); u.size < upgradeChunk {
			return nil
		}
		return u.commit()
	})
}

// mark records in the copy that a bucket is there, see noteBucket.
func (u *upgrade) mark(path string) error {
	if path == kv.Meta {
		return nil
	}
	meta, err := u.open([]string{kv.Meta})
	if err != nil {
		return err
	}
	key := []byte(bucketMark + path)
	return meta.Put(key, binary.BigEndian.AppendUint32(nil, checksum(seedOf(kv.Meta), key, nil)))
}

// open returns a bucket of the copy in the present transaction.
func (u *upgrade) open(path []string) (b *bbolt.Bucket, err error) {
	if u.tx == nil {
		if u.tx, err = u.db.Begin(true); err != nil {
			return nil, err
		}
	}
	for i, name := range path {
		if i == 0 {
			b, err = u.tx.CreateBucketIfNotExists([]byte(name))
		} else {
			b, err = b.CreateBucketIfNotExists([]byte(name))
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (u *upgrade) commit() error {
	tx := u.tx
	u.tx, u.size = nil, 0
	if tx == nil {
		return nil
	}
	return tx.Commit()
}
