package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"entrasync/state/bolt"
	"entrasync/state/kv"
	"entrasync/state/postgres"
)

// A Version is the form of one database of a state, and what this program makes of it.
type Version struct {
	Database string `json:"database"` // registry, a tenant's id, or the tables of a PostgreSQL database
	Has      int    `json:"has"`
	Knows    int    `json:"knows"`
	Problem  string `json:"problem,omitempty"` // why it cannot be opened, and what to do
}

// Migrates reports whether opening the database brings it to this program's version.
func (v *Version) Migrates() bool { return v.Problem == "" && v.Has < v.Knows }

// VersionsIn reads the versions of a state directory and changes nothing. When another process holds the directory, the
// error is an *[InUseError]; a directory that does not exist has no versions.
func VersionsIn(dir string) (versions []Version, err error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	lock, err := bolt.Acquire(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bolt.Release(lock)) }()
	f := &folder{dir: dir, lock: lock}
	ids, err := f.stored()
	if err != nil {
		return nil, err
	}
	add := func(database, path string, schema *kv.Schema, of string) {
		has, err := bolt.VersionOf(path, schema, of)
		v := Version{Database: database, Has: has, Knows: schema.Version()}
		if err != nil {
			v.Problem = err.Error()
		}
		versions = append(versions, v)
	}
	if registry := filepath.Join(dir, bolt.RegistryFile); exists(registry) {
		add("registry", registry, registrySchema, "")
	}
	for _, id := range ids {
		add(id.String(), f.path(id), tenantSchema, id.String())
	}
	return versions, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// VersionInPostgres reads the version of the tables of a database and changes nothing; 0 when there are none yet.
func VersionInPostgres(ctx context.Context, dsn string) (Version, error) {
	has, knows, err := postgres.TablesVersion(ctx, dsn)
	v := Version{Database: "tables", Has: has, Knows: knows}
	if has > knows {
		v.Problem = "a newer entrasync made the tables: use that one"
	}
	return v, err
}
