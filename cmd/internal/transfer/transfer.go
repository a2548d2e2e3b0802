// Package transfer exports a state to a file and imports it from one, for the commands state export and state import.
//
// The form of an export is that of package state. It knows no configuration: it is given the state. It promises that an export has its name only when it is complete, and that its owner alone can read it.
package transfer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/outfile"
	"entrasync/cmd/internal/words"
	"entrasync/graphsync"
	"entrasync/state"
)

// Export writes the state of some tenants to a file, with none the whole state.
func Export(store *state.Store, tenants []graphsync.ID, file string) (done state.Transfer, err error) {
	err = outfile.Replace(file, func(w io.Writer) (err error) { done, err = store.Export(w, tenants); return err })
	return done, err
}

// Import takes in the export in a file. open opens the state, which is done only when there is a file. An export that is
// encrypted with another key than the state needs that key.
func Import(open func() (*state.Store, error), file string, keys ...*state.Key) (done state.Transfer, err error) {
	in, err := os.Open(file)
	if err != nil {
		return done, err
	}
	defer in.Close()
	store, err := open()
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	done, err = store.Import(in, keys...)
	if err != nil {
		return done, fmt.Errorf("%s: %w", file, err)
	}
	return done, nil
}

// Tenants finds the tenants of a state by name or id, each once.
func Tenants(store *state.Store, names []string) (ids []graphsync.ID, err error) {
	records, err := store.TenantRecords().All()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		at := slices.IndexFunc(records, func(r state.TenantRecord) bool { return r.Name == name })
		id, parseErr := graphsync.ParseID(name)
		switch {
		case at >= 0:
			id = records[at].ID
		case parseErr != nil:
			return nil, advice.With(fmt.Errorf("there is no tenant %q", name), "list them with: entrasync tenants list")
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// A Document is what the commands print with --json.
type Document struct {
	Action   string         `json:"action"` // exported or imported
	File     string         `json:"file"`
	Format   string         `json:"format"`
	Registry bool           `json:"registry"` // it has the registry, and so every tenant
	Rows     int            `json:"rows"`
	Tenants  []graphsync.ID `json:"tenants"`
}

// DocumentOf makes the document of what was moved.
func DocumentOf(action, file string, done state.Transfer) Document {
	return Document{action, file, "entrasync/state/1", done.Registry, done.Rows, append([]graphsync.ID{}, done.Tenants...)}
}

// Describe says in words what was moved, such as "exported the whole state, 2 tenants, 830 rows".
func Describe(action string, done state.Transfer) string {
	whole := ""
	if done.Registry {
		whole = "the whole state, "
	}
	return fmt.Sprintf("%s %s%s, %s", action, whole, words.Count(len(done.Tenants), "tenant", "tenants"), words.Count(done.Rows, "row", "rows"))
}
