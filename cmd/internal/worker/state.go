package worker

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"entrasync/configs"
	"entrasync/state"
)

// OpenState opens the state that a configuration names. A folder that another process has is a [*state.InUseError]. migrate
// brings the tables of a database to the present version.
func OpenState(cfg *configs.Config, migrate bool) (*state.Store, error) {
	return openState(cfg, state.Options{Migrate: migrate})
}

func openState(cfg *configs.Config, options state.Options) (*state.Store, error) {
	if cfg.State.KeyFile != "" && options.Key == nil {
		key, err := state.ReadKey(cfg.State.KeyFile)
		if err != nil {
			return nil, err
		}
		options.Key = key
	}
	if !cfg.State.InDatabase() {
		return state.OpenWith(cfg.State.Dir, options)
	}
	return state.OpenPostgresWith(context.Background(), cfg.State.DSN.Read, scratchOf(cfg.State), options)
}

// scratchOf is the folder for what a process with its state in a database keeps on this machine.
func scratchOf(s configs.State) string {
	if s.Scratch != "" {
		return s.Scratch
	}
	if dirs := os.Getenv("STATE_DIRECTORY"); dirs != "" {
		return filepath.SplitList(dirs)[0]
	}
	return filepath.Join(os.TempDir(), "entrasync-"+strconv.Itoa(os.Getuid()))
}

// StateName names the state of a configuration for people: the absolute path of a folder, or the database without its password.
func StateName(cfg *configs.Config) string {
	if cfg.State.InDatabase() {
		dsn, err := cfg.State.DSN.Read()
		if err != nil {
			return "PostgreSQL"
		}
		return state.DescribeDatabase(dsn)
	}
	dir, err := filepath.Abs(cfg.State.Dir)
	if err != nil {
		return cfg.State.Dir
	}
	return dir
}

// OpenStateToRekey opens the state with the configured key, the new one or without a key, whichever it has.
func OpenStateToRekey(cfg *configs.Config, to *state.Key) (*state.Store, error) {
	return openState(cfg, state.Options{Rekey: true, NewKey: to})
}

// SameState reports whether two configurations have one state: the same folder or the same database, and the same key file.
func SameState(a, b *configs.Config) bool {
	if a.State.KeyFile != b.State.KeyFile {
		return false
	}
	if a.State.InDatabase() || b.State.InDatabase() {
		return a.State.InDatabase() == b.State.InDatabase() && StateName(a) == StateName(b)
	}
	return StateName(a) == StateName(b)
}

// StateVersions reads the versions of the state that a configuration names. It changes nothing.
func StateVersions(cfg *configs.Config) ([]state.Version, error) {
	if !cfg.State.InDatabase() {
		return state.VersionsIn(cfg.State.Dir)
	}
	dsn, err := cfg.State.DSN.Read()
	if err != nil {
		return nil, err
	}
	tables, err := state.VersionInPostgres(context.Background(), dsn)
	return []state.Version{tables}, err
}
