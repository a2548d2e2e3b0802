package state

import (
	"slices"

	"entrasync/graphsync"
)

// The tables of a tenant's state, as a transaction sees them. They are values without state of their
// own: make one where it is used, as in tx.Links(sync).Get(kind, id).
type (
	// Objects are the users and groups of the directory snapshot, tombstones included.
	Objects struct{ tx *Tx }
	// Members are the direct memberships of the snapshot's groups.
	Members struct{ tx *Tx }
	// Doubts are entries of Graph that could not be understood, until they are; see [Doubt].
	Doubts struct{ tx *Tx }
	// Cursors say how far each stream has been read; see [Cursor].
	Cursors struct{ tx *Tx }
	// Assignments are the app role assignments of one enterprise application.
	Assignments struct {
		tx  *Tx
		app string // the app registration's client id
	}

	// Links are a sync's links to accounts and groups of its target; see [Link].
	Links table
	// AppliedMembers are the memberships that a sync has written to its target.
	AppliedMembers table
	// Pending is what a sync has to look at because the directory changed; see [PendingKey].
	Pending table
	// Retries are a sync's objects that failed or are skipped; see [Retry].
	Retries table
	// Intents are a sync's requests whose outcome is not recorded yet; see [Intent].
	Intents table
	// Holds are a sync's actions that wait for a decision; see [Hold].
	Holds table
	// Runs are a sync's runs with their lines; see [Run].
	Runs table
)

// A table is what belongs to one sync.
type table struct {
	tx   *Tx
	sync string
}

// Objects returns the users and groups of the snapshot.
func (tx *Tx) Objects() Objects { return Objects{tx} }

// Members returns the memberships of the snapshot.
func (tx *Tx) Members() Members { return Members{tx} }

// Doubts returns the entries that could not be understood.
func (tx *Tx) Doubts() Doubts { return Doubts{tx} }

// Cursors returns how far the streams have been read.
func (tx *Tx) Cursors() Cursors { return Cursors{tx} }

// Assignments returns the assignments to an app, by the client id of its registration.
func (tx *Tx) Assignments(appID string) Assignments { return Assignments{tx, appID} }

// Links returns the links of a sync.
func (tx *Tx) Links(sync string) Links { return Links{tx, sync} }

// AppliedMembers returns the memberships that a sync has written.
func (tx *Tx) AppliedMembers(sync string) AppliedMembers { return AppliedMembers{tx, sync} }

// Pending returns the pending work of a sync.
func (tx *Tx) Pending(sync string) Pending { return Pending{tx, sync} }

// Retries returns what failed or is skipped in a sync.
func (tx *Tx) Retries(sync string) Retries { return Retries{tx, sync} }

// Intents returns the requests of a sync whose outcome is not recorded.
func (tx *Tx) Intents(sync string) Intents { return Intents{tx, sync} }

// Holds returns what a sync holds.
func (tx *Tx) Holds(sync string) Holds { return Holds{tx, sync} }

// Runs returns the runs of a sync.
func (tx *Tx) Runs(sync string) Runs { return Runs{tx, sync} }

// WarmRecords says which objects of a sync are recorded next: a store that is far away reads what there is of their links and
// intents at once. targets are the ids of their accounts, by kind.
func (tx *Tx) WarmRecords(sync string, objects []PendingKey, targets map[graphsync.Kind][]string) {
	keys := make([][]byte, len(objects))
	for i, o := range objects {
		keys[i] = objectKey(o.Kind, o.ID)
	}
	var accounts [][]byte
	for kind, ids := range targets {
		for _, id := range ids {
			accounts = append(accounts, targetKey(kind, id))
		}
	}
	for name, of := range map[string][][]byte{inLinks: keys, inIntents: keys, inTargets: accounts} {
		if b := tx.kv.bucket(bucketSyncs, sync, name); b != nil {
			b.Warm(slices.Values(of))
		}
	}
}
