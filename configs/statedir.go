package configs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// StateDir returns where the state of a configuration file is, also when other parts of the
// file have faults; ok is false when it cannot be told, and for a state in a database.
func StateDir(file string) (dir string, ok bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", false
	}
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return "", false
	}
	r := &reader{file: file, lookupEnv: os.LookupEnv}
	root := r.read(data)
	if root == nil || r.full || slices.ContainsFunc(r.faults, func(f Fault) bool { return f.Key == "state" || strings.HasPrefix(f.Key, "state.") }) {
		return "", false
	}
	c := &Config{State: State{Dir: DefaultState}}
	given := root.get("state")
	if !placed(root) {
		c.complete(root, os.LookupEnv)
		return c.State.Dir, true
	}
	if given.kind == section {
		if given = given.get("path"); given == nil {
			return "", false
		}
	}
	if given.kind != scalar || given.text == "" || isDatabase(given.text) {
		return "", false
	}
	if filepath.IsAbs(given.text) {
		return given.text, true
	}
	return filepath.Join(folder, given.text), true
}
