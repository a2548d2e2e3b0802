package transfer

import (
	"errors"
	"fmt"

	"entrasync/cmd/internal/words"
	"entrasync/state"
)

// A Rekeyed is what state rekey prints with --json. Keys have ids, from which they cannot be computed.
type Rekeyed struct {
	Action  string `json:"action"` // rekeyed, or unchanged when the state has the key already
	Format  string `json:"format"`
	From    string `json:"from"` // id of the former key, "" for none
	Tenants int    `json:"tenants"`
	To      string `json:"to"` // id of the new key, "" for none
}

// Rekey gives a state another key, nil for none, and closes it.
func Rekey(store *state.Store, to *state.Key, note func(string)) (Rekeyed, error) {
	done, err := state.Rekey(store, to, note)
	if err := errors.Join(err, store.Close()); err != nil {
		return Rekeyed{}, err
	}
	out := Rekeyed{Action: "rekeyed", Format: "entrasync/state/1", Tenants: done.Tenants}
	if done.From != nil {
		out.From = done.From.ID()
	}
	if to != nil {
		out.To = to.ID()
	}
	if out.From == out.To && done.Tenants == 0 {
		out.Action = "unchanged"
	}
	return out, nil
}

// Describe says what was done, and what the configuration needs.
func (r Rekeyed) Describe(configured, newFile string) string {
	if r.To == "" {
		text := fmt.Sprintf("The state is not encrypted: %s were written again.", words.Count(r.Tenants, "tenant", "tenants"))
		if r.Action == "unchanged" {
			text = "The state is not encrypted already; nothing was changed."
		}
		if configured != "" {
			text += " Remove state.key_file from the configuration."
		}
		return text
	}
	text := fmt.Sprintf("The state is encrypted with key %s: %s were written again.", r.To, words.Count(r.Tenants, "tenant", "tenants"))
	if r.Action == "unchanged" {
		text = fmt.Sprintf("The state has key %s already; nothing was changed.", r.To)
	}
	return text + fmt.Sprintf(" The configuration needs: state.key_file: %s. Earlier backups need the former key, or hold the state without one.", newFile)
}
