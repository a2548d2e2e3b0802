package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// The assignments of an app lie in assignments/APPID/. A row belongs to a generation: rows of
// a generation above the committed one are being staged and not part of the state yet.
const (
	inIDs        = "ids"        // assignment id → row, see assignmentRow
	inPrincipals = "principals" // principal, number uint32 → generation uint32, kind, role, id
	inMissed     = "missed"     // assignment id → nothing: the last round missed it and it is kept
	inStrangers  = "strangers"  // principal → reason; see Strangers
	inGeneration = "generation" // keyGeneration → uint32, the committed one
)

var keyGeneration = []byte("committed")

// PutApp stores an enterprise application when it differs from what is known, and tells so.
func (tx *Tx) PutApp(app graphsync.App) (changed bool, err error) {
	text, err := json.Marshal(app)
	if err != nil {
		return false, fmt.Errorf("put app %s: %w", app.AppID, err)
	}
	if bytes.Equal(text, tx.kv.get([]byte(app.AppID), bucketApps)) {
		return false, nil
	}
	return true, tx.kv.put([]byte(app.AppID), text, bucketApps)
}

// App returns an enterprise application by the app registration's client id.
func (t Assignments) App() (graphsync.App, bool) {
	text := t.tx.kv.get([]byte(t.app), bucketApps)
	if text == nil {
		return graphsync.App{}, false
	}
	return fromJSON[graphsync.App]("app "+t.app, text), true
}

// Of yields a principal's assignments to an app.
func (t Assignments) Of(principal graphsync.ID) iter.Seq[graphsync.Assignment] {
	return func(yield func(graphsync.Assignment) bool) {
		generation := t.generation()
		for k, v := range scan(t.tx.kv.bucket(bucketAssignments, t.app, inPrincipals), principal[:], nil) {
			if a, g := parsePrincipalRow(k, v); g <= generation && !yield(a) {
				return
			}
		}
	}
}

// Missed reports whether an assignment that is kept is one that the last reading lacked, see
// [AssignmentRound.Commit].
func (t Assignments) Missed(assignment string) bool {
	marks := t.tx.kv.bucket(bucketAssignments, t.app, inMissed)
	return marks != nil && marks.Get([]byte(assignment)) != nil
}

// Principals yields the users and groups that have assignments to an app, by rising id,
// beginning behind after.
func (t Assignments) Principals(after graphsync.ID) iter.Seq[Member] {
	return func(yield func(Member) bool) {
		generation := t.generation()
		last := after
		for k, v := range scan(t.tx.kv.bucket(bucketAssignments, t.app, inPrincipals), nil, after[:]) {
			a, g := parsePrincipalRow(k, v)
			if g > generation || a.Principal == last {
				continue
			}
			if last = a.Principal; !yield(Member{Kind: a.PrincipalKind, ID: a.Principal}) {
				return
			}
		}
	}
}

// Count returns how many assignments an app has.
func (t Assignments) Count() int { return int(t.tx.counts.get(assignmentCounter(t.app))) }

func assignmentCounter(appID string) string { return "assignments\x00" + appID }

// stagedCounter counts all rows of an app, staged ones included.
func stagedCounter(appID string) string { return "staged\x00" + appID }

func (t Assignments) generation() uint32 {
	if v := t.tx.kv.get(keyGeneration, bucketAssignments, t.app, inGeneration); v != nil {
		return parseUint32(v)
	}
	return 0
}

// An assignmentRow is a row of the ids bucket: number and generation uint32, kind, principal,
// role. Numbers are dense enough to be the places of a bitmap.
type assignmentRow struct {
	number, generation uint32
	a                  graphsync.Assignment
}

func (r *assignmentRow) encode() []byte {
	v := make([]byte, 0, 41)
	v = binary.BigEndian.AppendUint32(v, r.number)
	v = binary.BigEndian.AppendUint32(v, r.generation)
	v = append(v, byte(r.a.PrincipalKind))
	v = append(v, r.a.Principal[:]...)
	return append(v, r.a.Role[:]...)
}

func parseAssignmentRow(k, v []byte) assignmentRow {
	if len(v) != 41 {
		panic(kv.BadRecord{What: "an assignment cannot be read"})
	}
	return assignmentRow{
		number: binary.BigEndian.Uint32(v), generation: binary.BigEndian.Uint32(v[4:]),
		a: graphsync.Assignment{ID: string(k), PrincipalKind: graphsync.Kind(v[8]), Principal: parseID(v[9:25]), Role: parseID(v[25:])},
	}
}

func parsePrincipalRow(k, v []byte) (graphsync.Assignment, uint32) {
	if len(k) != 20 || len(v) < 21 {
		panic(kv.BadRecord{What: "a principal's assignment cannot be read"})
	}
	return graphsync.Assignment{
		ID: string(v[21:]), Principal: parseID(k[:16]), PrincipalKind: graphsync.Kind(v[4]), Role: parseID(v[5:21]),
	}, binary.BigEndian.Uint32(v)
}

func (r *assignmentRow) principalKey() []byte {
	return binary.BigEndian.AppendUint32(append([]byte(nil), r.a.Principal[:]...), r.number)
}

func (r *assignmentRow) principalValue() []byte {
	v := binary.BigEndian.AppendUint32(nil, r.generation)
	v = append(append(v, byte(r.a.PrincipalKind)), r.a.Role[:]...)
	return append(v, r.a.ID...)
}

// appTrees are an app's buckets open for writing.
type appTrees struct{ ids, principals kv.Bucket }

func (t Assignments) buckets() (appTrees, error) {
	ids, err1 := t.tx.kv.createBucket(bucketAssignments, t.app, inIDs)
	principals, err2 := t.tx.kv.createBucket(bucketAssignments, t.app, inPrincipals)
	return appTrees{ids, principals}, errors.Join(err1, err2)
}

func (t appTrees) put(r *assignmentRow) error {
	return errors.Join(t.ids.Put([]byte(r.a.ID), r.encode()), t.principals.Put(r.principalKey(), r.principalValue()))
}

func (t appTrees) delete(r *assignmentRow) error {
	return errors.Join(t.ids.Delete([]byte(r.a.ID)), t.principals.Delete(r.principalKey()))
}
