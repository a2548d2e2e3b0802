package state

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"entrasync/graphsync"
	"entrasync/state/kv"
	"entrasync/state/sealed"
)

// maxExportText bounds a key or value of an export: no store takes larger ones from this package.
const maxExportText = 1 << 28

// VerifyExport reads an export and returns what is in it. An export that is cut off or changed is an error, and so is an
// encrypted one of which the key is neither given nor that of the state.
func VerifyExport(s *Store, r io.Reader, keys ...*Key) (Transfer, error) {
	return readExport(r, keysOf(s, keys), func(importedDatabase) error { return nil })
}

// keysOf are those with which an export may be encrypted.
func keysOf(s *Store, given []*Key) []*Key {
	return slices.Concat(given, s.ring.Others, []*Key{s.ring.Current})
}

// Import takes in an export. One of the whole state needs a state without tenants, one of some tenants needs one that
// does not have them. It is read twice: nothing is written of one that is cut off or changed. Each tenant is there
// completely or not at all. What is taken in is encrypted as the state is, whether the export was or not.
func (s *Store) Import(r io.ReadSeeker, keys ...*Key) (Transfer, error) {
	found, err := VerifyExport(s, r, keys...)
	if err != nil {
		return found, err
	}
	if err := s.fits(found); err != nil {
		return found, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return found, err
	}
	return readExport(r, keysOf(s, keys), func(d importedDatabase) error {
		if d.kind == "registry" {
			return s.importRegistry(d)
		}
		id, err := graphsync.ParseID(d.id)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.counter(id).Add(1)
		s.mu.Unlock()
		if err := s.home.restore(id, d.fill); err != nil || s.shared == nil {
			return err
		}
		return s.takeUpCreations(id)
	})
}

// takeUpCreations notes in the registry what an imported tenant was making.
func (s *Store) takeUpCreations(id graphsync.ID) error {
	tenant, err := s.Own(id)
	if err != nil {
		return err
	}
	return tenant.Close()
}

// fits reports why an export cannot be taken in.
func (s *Store) fits(found Transfer) error {
	present, err := s.home.stored()
	if err != nil {
		return err
	}
	if found.Registry && len(present) > 0 {
		return fmt.Errorf("import: the state has %d tenants already; import into an empty one, such as another folder in `state`", len(present))
	}
	if s.accounts.direct && !found.Registry {
		return errors.New("import: a database takes an export of the whole state only; export without naming tenants")
	}
	for _, id := range found.Tenants {
		if has, err := s.home.has(id); err != nil {
			return err
		} else if has {
			return fmt.Errorf("import: the state has tenant %s already; remove that tenant first, or import into another state", id)
		}
	}
	return nil
}

// importRegistry takes in the registry. Until that has ended it counts as lost, so that the next start rebuilds the
// claims on accounts from the links when this is interrupted.
func (s *Store) importRegistry(d importedDatabase) error {
	if err := s.registry.update(func(tx *Tx) error { _, err := tx.kv.delete(keyComplete, kv.Meta); return err }); err != nil {
		return err
	}
	return d.fill(s.registry.db.Update)
}

// An importedDatabase is one of an export whose entries are yet to be read.
type importedDatabase struct {
	kind, id string
	// fill reads the entries and puts them in; change runs a transaction, or a part of one.
	fill func(change func(func(kv.Tx) error) error) error
}

// readExport reads an export and has each of its databases taken in.
func readExport(r io.Reader, keys []*Key, take func(importedDatabase) error) (found Transfer, err error) {
	bad := func(err error) error {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read the export: %w; it is cut off, was changed, or is no export of a state", err)
	}
	plain, err := sealed.NewReader(r, keys)
	if other := (*sealed.StreamKeyError)(nil); errors.As(err, &other) {
		return found, fmt.Errorf("read the export: %w", err)
	}
	if err != nil {
		return found, bad(err)
	}
	unpacked, err := gzip.NewReader(plain)
	if err != nil {
		return found, bad(err)
	}
	in := &importer{r: bufio.NewReaderSize(unpacked, 1<<16)}
	magic := make([]byte, len(exportMagic))
	if _, err := io.ReadFull(in.r, magic); err != nil || string(magic) != exportMagic {
		return found, bad(fmt.Errorf("it does not begin with %q", exportMagic))
	}
	for {
		in.sum, in.rows = sha256.New(), 0
		switch kind := in.byte(); {
		case in.err != nil:
			return found, bad(in.err)
		case kind == exportDone:
			if n := in.uvarint(); in.err != nil || n != uint64(len(found.Tenants)) {
				return found, bad(fmt.Errorf("it says that it has %d tenants, and has %d", n, len(found.Tenants)))
			}
			if _, err := in.r.ReadByte(); !errors.Is(err, io.EOF) { // reads gzip's own checksum, too
				return found, bad(fmt.Errorf("something follows its end"))
			}
			return found, nil
		case kind != exportDatabase:
			return found, bad(fmt.Errorf("it has an entry %q where a tenant is expected", kind))
		}
		d := importedDatabase{kind: string(in.text()), id: string(in.text())}
		version := in.uvarint()
		if in.err != nil {
			return found, bad(in.err)
		}
		if err := found.add(d, version); err != nil {
			return found, err
		}
		read := false
		d.fill = func(change func(func(kv.Tx) error) error) error { read = true; return in.database(change) }
		if err := take(d); err != nil {
			return found, fmt.Errorf("import %s %s: %w", d.kind, d.id, err)
		}
		if !read {
			if err := in.database(func(fn func(kv.Tx) error) error { return fn(nil) }); err != nil {
				return found, bad(err)
			}
		}
		found.Rows += in.rows
	}
}

// add notes a database of an export.
func (t *Transfer) add(d importedDatabase, version uint64) error {
	schema := tenantSchema
	switch d.kind {
	case "registry":
		schema, t.Registry = registrySchema, true
	case "tenant":
		id, err := graphsync.ParseID(d.id)
		if err != nil {
			return fmt.Errorf("read the export: it has a tenant %q, which is no id", d.id)
		}
		t.Tenants = append(t.Tenants, id)
	default:
		return fmt.Errorf("read the export: it has a %q, which this entrasync does not know", d.kind)
	}
	if int(version) != schema.Version() {
		return fmt.Errorf("read the export: %s %s has schema version %d, and this entrasync has %d: import it with the version that wrote it", d.kind, d.id, version, schema.Version())
	}
	return nil
}

// importChunk is how many bytes of rows share a transaction.
const importChunk = 4 << 20

// An importer reads entries. Its first error stays.
type importer struct {
	r    *bufio.Reader
	sum  hash.Hash
	rows int
	err  error
}

func (in *importer) byte() byte {
	if in.err != nil {
		return 0
	}
	b, err := in.r.ReadByte()
	in.err = err
	in.sum.Write([]byte{b})
	return b
}

func (in *importer) uvarint() uint64 {
	n, err := binary.ReadUvarint(byteReader{in})
	if in.err == nil {
		in.err = err
	}
	return n
}

type byteReader struct{ in *importer }

func (b byteReader) ReadByte() (byte, error) { c := b.in.byte(); return c, b.in.err }

func (in *importer) text() []byte {
	n := in.uvarint()
	if n > maxExportText && in.err == nil {
		in.err = fmt.Errorf("it has a record of %d bytes", n)
	}
	if in.err != nil {
		return nil
	}
	var text bytes.Buffer // grows with what is there, whatever the length says
	_, in.err = io.CopyN(&text, in.r, int64(n))
	in.sum.Write(text.Bytes())
	return text.Bytes()
}

// database reads the entries of a database, in parts of bounded size; a part is put into a transaction, nil when the
// entries are only read.
func (in *importer) database(change func(func(kv.Tx) error) error) error {
	path, ended := "", false
	for !ended {
		err := change(func(tx kv.Tx) (err error) {
			ended, err = in.part(tx, &path)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// part reads entries up to the end of the database, or as many as share a transaction. path is that of the bucket that
// the next rows are of.
func (in *importer) part(tx kv.Tx, path *string) (ended bool, err error) {
	var b kv.Bucket
	if tx != nil && *path != "" {
		b = tx.Bucket(*path)
	}
	for size := 0; size < importChunk; {
		var before []byte
		if next, _ := in.r.Peek(1); len(next) == 1 && next[0] == exportEnd {
			before = in.sum.Sum(nil)
		}
		switch kind := in.byte(); {
		case in.err != nil:
			return false, in.err
		case kind == exportBucket:
			*path = string(in.text())
			sequence := in.uvarint()
			if in.err == nil && tx != nil {
				if b, err = tx.CreateBucket(*path); err == nil && sequence > 0 {
					err = b.SetSequence(sequence)
				}
			}
		case kind == exportRow && *path != "":
			key, value := in.text(), in.text()
			if size += len(key) + len(value); in.err == nil && tx != nil {
				err = b.Append(key, value)
			}
			in.rows++
		case kind == exportEnd:
			return true, in.end(before)
		default:
			return false, fmt.Errorf("it has an entry %q where a bucket or a row is expected", kind)
		}
		if err := errors.Join(in.err, err); err != nil {
			return false, err
		}
	}
	return false, nil
}

// end verifies number and digest of a database.
func (in *importer) end(want []byte) error {
	n := in.uvarint()
	sum := make([]byte, sha256.Size)
	if in.err == nil {
		_, in.err = io.ReadFull(in.r, sum)
	}
	switch {
	case in.err != nil:
		return in.err
	case n != uint64(in.rows) || !bytes.Equal(sum, want):
		return fmt.Errorf("%d rows were read of %d that were written, and their checksum says that they are not the same", in.rows, n)
	}
	return nil
}
