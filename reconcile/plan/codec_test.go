package plan

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/state"
)

// drawAction draws an action in which any field may be set.
func drawAction(t *rapid.T) StoredAction {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "ada@contoso.example", "a<b>&\u2028", "\xff\xfe broken"}))
	id := rapid.Custom(func(t *rapid.T) (id graphsync.ID) {
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		return id
	})
	value := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }), rapid.Map(text, func(s string) any { return s }),
		rapid.SampledFrom([]any{json.Number("12345678901234567890"), 1.5, 7, []any{"x", nil, true}, []any{}, map[string]any{"b": "2", "a": []any{json.Number("1")}}}),
	)
	change := rapid.Custom(func(t *rapid.T) Change {
		return Change{Attribute: text.Draw(t, "attribute"), Old: value.Draw(t, "old"), New: value.Draw(t, "new")}
	})
	lists := func(name string) []string {
		if rapid.Bool().Draw(t, name+" is there") {
			return rapid.SliceOfN(text, 0, 3).Draw(t, name)
		}
		return nil
	}
	a := StoredAction{
		Action: Action{Op: rapid.SampledFrom(Ops).Draw(t, "op"), Kind: rapid.SampledFrom([]graphsync.Kind{graphsync.User, graphsync.Group}).Draw(t, "kind"), SourceID: id.Draw(t, "source"),
			Key: text.Draw(t, "key"), Why: text.Draw(t, "why"), Cause: text.Draw(t, "cause"), Notes: lists("notes"), Name: rapid.SampledFrom([]string{"", "Ada"}).Draw(t, "name"),
			Add: rapid.SliceOfN(id, 0, 3).Draw(t, "add"), Remove: rapid.SliceOfN(id, 0, 3).Draw(t, "remove")},
		Match: lists("match"), Via: rapid.OneOf(rapid.Just(graphsync.ID{}), id).Draw(t, "via"),
		Approved: rapid.Bool().Draw(t, "approved"), Orphan: rapid.Bool().Draw(t, "orphan"), Left: rapid.OneOf(rapid.Just(graphsync.ID{}), id).Draw(t, "left"),
	}
	if rapid.Bool().Draw(t, "changes are there") {
		a.Changes = rapid.SliceOfN(change, 0, 4).Draw(t, "changes")
	}
	if rapid.Bool().Draw(t, "account is there") {
		account := text.Draw(t, "account")
		a.TargetID = &account
	}
	if rapid.Bool().Draw(t, "held") {
		a.Held, a.FormerOwner = &StoredHold{Guard: "removals", Cause: text.Draw(t, "cause of the hold")}, state.Owner{Sync: "other", Kind: a.Kind, Source: id.Draw(t, "former")}
	}
	return a
}

// An action is read back as its JSON would be, which is how versions before stored it.
func TestStoredActionsAreReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := drawAction(t)
		var want StoredAction
		if err := decodeNumbers(Encode(&a), &want); err != nil {
			t.Fatal(err)
		}
		raw := EncodeAction(&a)
		got, err := DecodeAction(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(Encode(&want)), string(Encode(&got))); diff != "" || OpOf(raw) != a.Op {
			t.Fatalf("op %s (-want +got):\n%s", OpOf(raw), diff)
		}
		if diff := cmp.Diff(want.Changes, got.Changes); diff != "" {
			t.Fatalf("values (-want +got):\n%s", diff)
		}
		before := append([]byte{opByte(a.Op) &^ binaryForm}, Encode(&a)...)
		old, err := DecodeAction(before)
		if diff := cmp.Diff(string(Encode(&want)), string(Encode(&old))); err != nil || diff != "" || OpOf(before) != a.Op {
			t.Fatalf("in the former form: %v (-want +got):\n%s", err, diff)
		}
	})
}

// A record that is cut off, or has something behind it, is an error.
func TestStoredActionsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := drawAction(t)
		raw := EncodeAction(&a)
		if _, err := DecodeAction(raw[:rapid.IntRange(0, len(raw)-1).Draw(t, "length")]); err == nil {
			t.Fatal("a part of a record was read")
		}
		if _, err := DecodeAction(append(raw, 0)); err == nil {
			t.Fatal("a record with something behind it was read")
		}
	})
}

func FuzzDecodeAction(f *testing.F) {
	account := "u-1"
	a := StoredAction{Action: Action{Op: Update, Kind: graphsync.User, TargetID: &account, Key: "ada", Changes: []Change{{"title", nil, "x"}, {"active", false, true}}}, Approved: true}
	f.Add(EncodeAction(&a))
	f.Add([]byte("\x02{}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := DecodeAction(raw)
		if err != nil || a.Op == "" || a.Kind != graphsync.User && a.Kind != graphsync.Group {
			return
		}
		a.Op = OpOf(raw)
		again, err := DecodeAction(EncodeAction(&a))
		if err != nil || string(Encode(&again)) != string(Encode(&a)) {
			t.Fatalf("%s became %s, %v", Encode(&a), Encode(&again), err)
		}
	})
}

func BenchmarkDecodeAction(b *testing.B) {
	a := StoredAction{Action: Action{Op: Create, Kind: graphsync.User, Key: "ada@contoso.example", Why: "in scope"}, Match: []string{"6a1e0000-0000-0000-0000-000000000001", "ada@contoso.example"}}
	for _, name := range []string{"userName", "externalId", "displayName", "name.givenName", "name.familyName", "title", `emails[type eq "work"].value`} {
		a.Changes = append(a.Changes, Change{name, nil, "value of " + name})
	}
	raw := EncodeAction(&a)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := DecodeAction(raw); err != nil {
			b.Fatal(err)
		}
	}
}
