package state

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"slices"

	"entrasync/graphsync"
	"entrasync/state/kv"
	"entrasync/state/sealed"
)

// An export is a stream of databases, the registry first, compressed with gzip. Each is a header, its buckets with
// their rows by rising path and key, and an end with their number and SHA-256. It does not depend on which store the
// state is in: what is imported and exported again has the same bytes. The stream of an encrypted state is encrypted.

// exportMagic begins an export; its number is the version of the form.
const exportMagic = "entrasync state 1\n"

// The kinds of entries of an export. Texts are a length as uvarint and bytes.
const (
	exportDatabase = 'D' // kind, id, schema version as uvarint
	exportBucket   = 'B' // path, sequence as uvarint
	exportRow      = 'R' // key, value
	exportEnd      = 'E' // number of rows as uvarint, SHA-256 of the database's entries
	exportDone     = 'Z' // number of databases as uvarint
)

// headerKeys are what a file's meta bucket says of the file itself.
var headerKeys = []string{"schema", "kind", "of"}

const bucketMarks = "bucket\x00" // begins keys of the meta bucket that are a file's own

// ofStore reports whether a key of the meta bucket is the store's own.
func ofStore(key []byte) bool {
	return slices.Contains(headerKeys, string(key)) || bytes.HasPrefix(key, []byte(bucketMarks))
}

// A Transfer says what an export or import moved.
type Transfer struct {
	Tenants  []graphsync.ID
	Registry bool // it has the registry, and so every tenant
	Rows     int
}

// Export writes the state of some tenants, or with none the whole state with its registry. What cycles write meanwhile
// may be in it or not. The export of an encrypted state is encrypted with the same key.
func (s *Store) Export(w io.Writer, tenants []graphsync.ID) (Transfer, error) {
	if s.ring.Current == nil {
		return exportPlain(s, w, tenants)
	}
	out, err := sealed.NewWriter(w, s.ring.Current)
	if err != nil {
		return Transfer{}, fmt.Errorf("write the export: %w", err)
	}
	done, err := exportPlain(s, out, tenants)
	if err == nil {
		err = out.Close()
	}
	return done, err
}

func exportPlain(s *Store, w io.Writer, tenants []graphsync.ID) (Transfer, error) {
	done := Transfer{Tenants: tenants, Registry: len(tenants) == 0}
	packed := gzip.NewWriter(w)
	e := &exporter{w: packed}
	e.write([]byte(exportMagic))
	if done.Registry {
		var err error
		if done.Tenants, err = s.home.stored(); err != nil {
			return done, err
		}
		if err := s.accounts.writeClaims(); err != nil {
			return done, err
		}
		if err := e.database("registry", "", registrySchema, s.registry); err != nil {
			return done, fmt.Errorf("export the registry: %w", err)
		}
	}
	for _, id := range done.Tenants {
		if has, err := s.home.has(id); err != nil {
			return done, err
		} else if !has {
			return done, fmt.Errorf("export tenant %s: it has no state", id)
		}
		if err := s.exportTenant(e, id); err != nil {
			return done, fmt.Errorf("export tenant %s: %w", id, err)
		}
	}
	e.entry(exportDone, nil, nil, uint64(len(done.Tenants)))
	if e.err == nil {
		e.err = packed.Close()
	}
	if e.err != nil {
		return done, fmt.Errorf("write the export: %w", e.err)
	}
	done.Rows = e.total
	return done, nil
}

func (s *Store) exportTenant(e *exporter, id graphsync.ID) error {
	tenant, err := s.Tenant(id)
	if err != nil {
		return err
	}
	defer tenant.Close()
	if err := s.stamp(id, tenant.file); err != nil { // what is kept in memory is part of the state
		return err
	}
	return e.database("tenant", id.String(), tenantSchema, tenant.file)
}

// An exporter writes entries. Its first error stays.
type exporter struct {
	w     io.Writer
	sum   hash.Hash
	rows  int // of the present database
	total int
	buf   []byte
	err   error
}

func (e *exporter) write(b []byte) {
	if e.err == nil {
		_, e.err = e.w.Write(b)
	}
	if e.sum != nil {
		e.sum.Write(b)
	}
}

// entry writes a kind, one or two texts (nil: none) and a number for the kinds that have one.
func (e *exporter) entry(kind byte, first, second []byte, number uint64) {
	e.buf = append(e.buf[:0], kind)
	for _, text := range [][]byte{first, second} {
		if text != nil {
			e.buf = append(binary.AppendUvarint(e.buf, uint64(len(text))), text...)
		}
	}
	if kind != exportRow {
		e.buf = binary.AppendUvarint(e.buf, number)
	}
	e.write(e.buf)
}

func (e *exporter) database(kind, id string, schema *kv.Schema, d *database) error {
	e.sum, e.rows = sha256.New(), 0
	e.entry(exportDatabase, []byte(kind), []byte(id), uint64(schema.Version()))
	err := d.db.View(func(tx kv.Tx) error {
		paths := slices.Collect(tx.Paths())
		for i, path := range paths {
			b := tx.Bucket(path)
			e.entry(exportBucket, []byte(path), nil, b.Sequence())
			if i+1 < len(paths) && kv.Within(paths[i+1], path) {
				continue // it has buckets inside, and no rows
			}
			for key, value := range b.Scan(nil, nil) {
				if path == kv.Meta && ofStore(key) {
					continue
				}
				e.entry(exportRow, key, value, 0)
				if e.rows++; e.err != nil {
					return e.err
				}
			}
		}
		return nil
	})
	sum := e.sum.Sum(nil)
	e.sum = nil
	e.entry(exportEnd, nil, nil, uint64(e.rows))
	e.write(sum)
	e.total += e.rows
	if err == nil {
		err = e.err
	}
	return err
}
