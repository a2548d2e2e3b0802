package state_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"entrasync/state"
)

// The versions of a directory are read without a change to it: of files that are as they should be, older, newer, foreign and
// damaged, and of a directory that another process has.
func TestVersionsInFiles(t *testing.T) {
	t.Parallel()
	dir, path := filled(t, 1)
	withVersion := func(n uint32) func(*bbolt.Tx) error {
		return func(b *bbolt.Tx) error {
			return b.Bucket([]byte("meta")).Put([]byte("schema"), binary.BigEndian.AppendUint32(nil, n))
		}
	}
	read := func() (registry, tenant state.Version, content []byte) {
		t.Helper()
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		versions, err := state.VersionsIn(dir)
		if err != nil || len(versions) != 2 {
			t.Fatalf("%+v, %v", versions, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("reading the versions changed the file (%v)", err)
		}
		return versions[0], versions[1], before
	}
	registry, tenant, _ := read()
	if registry.Database != "registry" || tenant.Database != contoso.String() || registry.Has != registry.Knows || tenant.Has != tenant.Knows || tenant.Has == 0 || tenant.Problem != "" || tenant.Migrates() {
		t.Errorf("a present state: %+v, %+v", registry, tenant)
	}
	known := uint32(tenant.Knows)
	edit(t, path, withVersion(known-1))
	if _, older, _ := read(); older.Has != tenant.Knows-1 || !older.Migrates() || older.Problem != "" {
		t.Errorf("an older one: %+v", older)
	}
	edit(t, path, withVersion(known+1))
	if _, newer, _ := read(); newer.Has != tenant.Knows+1 || newer.Migrates() || !strings.Contains(newer.Problem, "use the newer entrasync that wrote it") {
		t.Errorf("a newer one: %+v", newer)
	}
	edit(t, path, func(b *bbolt.Tx) error { return b.DeleteBucket([]byte("meta")) })
	_, foreign, content := read()
	if !strings.Contains(foreign.Problem, "not written by entrasync") {
		t.Errorf("a foreign one: %+v", foreign)
	}
	if err := os.WriteFile(path, append(make([]byte, 8192), content[8192:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, damaged, _ := read(); damaged.Problem == "" || damaged.Migrates() {
		t.Errorf("a damaged one: %+v", damaged)
	}

	if versions, err := state.VersionsIn(filepath.Join(dir, "none")); versions != nil || err != nil {
		t.Errorf("no directory: %v, %v", versions, err)
	}
	held, err := state.Open(filepath.Join(t.TempDir(), "held"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	var inUse *state.InUseError
	if _, err := state.VersionsIn(held.Dir()); !errors.As(err, &inUse) {
		t.Errorf("a directory in use: %v", err)
	}
}

// The tables of a database have a version, and an empty database has none.
func TestDatabaseVersion(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	if v, err := state.VersionInPostgres(t.Context(), dsn); err != nil || v.Has != 0 || v.Knows == 0 || v.Problem != "" {
		t.Errorf("an empty database: %+v, %v", v, err)
	}
	s, err := state.OpenPostgres(t.Context(), dsn, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if v, err := state.VersionInPostgres(t.Context(), dsn); err != nil || v.Has != v.Knows || v.Migrates() {
		t.Errorf("in use: %+v, %v", v, err)
	}
	if _, err := state.VersionInPostgres(t.Context(), "postgres://entrasync@127.0.0.1:1/none"); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("no server: %v", err)
	}
}
