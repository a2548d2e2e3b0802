package state_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/state"
)

func aKey(t testing.TB, n byte) *state.Key {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, append(bytes.Repeat([]byte{n}, 31), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := state.ReadKey(file)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A place is where a state is, in files or in a database.
type place struct{ dir, dsn string }

func newPlace(t testing.TB) place {
	p := place{dir: filepath.Join(t.TempDir(), "state")}
	if server != nil {
		p.dsn = server.Database(t)
	}
	return p
}

func (p place) open(opts state.Options) (*state.Store, error) {
	if p.dsn == "" {
		return state.OpenWith(p.dir, opts)
	}
	return state.OpenPostgresWith(context.Background(), func() (string, error) { return p.dsn, nil }, p.dir, opts)
}

// fill puts two tenants into a state, of which the second has nothing but a user.
func (p place) fill(t *testing.T, key *state.Key) {
	t.Helper()
	s, err := p.open(state.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n, id := range []graphsync.ID{contoso, id(4711)} {
		tn, err := s.Own(id)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 && p.dsn == "" { // many rows, in all buckets
			fullTenant(t, tn)
		}
		update(t, tn, func(tx *state.Tx) error {
			return errors.Join(tx.Runs("front").AppendLine("r-9", []byte(`{"name":"Ada Secretperson"}`)), tx.Space("front", "claims").Put([]byte("mail\x00ada@secret.example"), nil), tx.Links("front").Put(state.Link{Source: id, Kind: graphsync.User, TargetID: "ada@secret.example", Active: true,
				Keys: []state.MatchKey{{Attribute: "userName", Value: "ada@secret.example"}}}))
		})
		if err := tn.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = s.Accounts().Claim("front", "ada@secret.example", state.Owner{Tenant: id, Sync: "front", Kind: graphsync.User, Source: id})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (p place) content(t testing.TB, opts state.Options) map[string]string {
	t.Helper()
	s, err := p.open(opts)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows, err := state.Content(s)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// bytes are those of the files or of the rows as they lie in the database.
func (p place) bytes(t testing.TB) (all []byte) {
	t.Helper()
	if p.dsn != "" {
		rows, err := server.Rows(p.dsn, `SELECT encode(key, 'escape') || ' ' || encode(value, 'escape') FROM kv`)
		if err != nil {
			t.Fatal(err)
		}
		return []byte(strings.Join(rows, "\n"))
	}
	files, err := filepath.Glob(filepath.Join(p.dir, "*"))
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}

var secrets = []string{"Secretperson", "secret.example"}

// No name or mail address can be read in an encrypted state, neither in values nor in keys; and it can in one
// that is not.
func TestEncryptedStateShowsNoPerson(t *testing.T) {
	t.Parallel()
	for _, key := range []*state.Key{nil, aKey(t, 1)} {
		p := newPlace(t)
		p.fill(t, key)
		text := p.bytes(t)
		for _, secret := range secrets {
			if got := bytes.Contains(text, []byte(secret)); got != (key == nil) {
				t.Errorf("with %v, %s is there: %v", key, secret, got)
			}
		}
	}
}

// A change of the key that is ended at any step leaves a state that opens with one of the two keys and has all that it had.
// Run again, it ends as one that was not interrupted.
func TestRekeyInterrupted(t *testing.T) {
	t.Parallel()
	one, two := aKey(t, 1), aKey(t, 2)
	for name, c := range map[string]struct{ from, to *state.Key }{"encrypt": {nil, two}, "another key": {one, two}, "decrypt": {one, nil}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for step := 1; ; step++ {
				p := newPlace(t)
				p.fill(t, c.from)
				want := p.content(t, state.Options{Key: c.from})
				complete := interrupted(t, p, c.from, c.to, step)
				opened := 0
				for _, key := range []*state.Key{c.from, c.to} {
					s, err := p.open(state.Options{Key: key})
					if wrong := (*state.KeyError)(nil); err != nil && !errors.As(err, &wrong) {
						t.Fatalf("step %d: %v", step, err)
					}
					if err != nil {
						continue
					}
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					opened++
					if got := p.content(t, state.Options{Key: key}); !maps.Equal(got, want) {
						t.Fatalf("step %d: with %v there are %d rows of %d", step, key, len(got), len(want))
					}
				}
				if opened != 1 {
					t.Fatalf("step %d: it opens with %d of the two keys", step, opened)
				}
				rekey(t, p, c.from, c.to)
				if got := p.content(t, state.Options{Key: c.to}); !maps.Equal(got, want) {
					t.Fatalf("step %d: after it was run again there are %d rows of %d", step, len(got), len(want))
				}
				if shown := bytes.Contains(p.bytes(t), []byte(secrets[0])); p.dsn != "" && shown != (c.to == nil) {
					t.Errorf("step %d: the name is there: %v", step, shown)
				}
				if complete {
					if step < 5 {
						t.Errorf("%d steps", step)
					}
					return
				}
			}
		})
	}
}

func rekey(t testing.TB, p place, from, to *state.Key) {
	t.Helper()
	s, err := p.open(state.Options{Key: from, Rekey: true, NewKey: to})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.Rekey(s, to, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// interrupted changes the key and is ended at a step. complete says that there was no such step.
func interrupted(t testing.TB, p place, from, to *state.Key, step int) (complete bool) {
	t.Helper()
	s, err := p.open(state.Options{Key: from, Rekey: true, NewKey: to})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = s.Close() // what was closed already says so
	}()
	state.KillAt(s, step)
	defer func() {
		if p := recover(); p != nil && p != any(state.ErrKilled) {
			panic(p)
		}
	}()
	_, err = state.Rekey(s, to, func(string) {})
	if err != nil && !errors.Is(err, state.ErrKilled) {
		t.Fatal(err)
	}
	return err == nil
}

// An export of an encrypted state is encrypted with its key. It is taken in by any state, with the key of its own, and is
// encrypted there as that state is.
func TestExportOfAnEncryptedState(t *testing.T) {
	t.Parallel()
	one, two := aKey(t, 1), aKey(t, 2)
	from := newPlace(t)
	from.fill(t, one)
	want := from.content(t, state.Options{Key: one})
	s, err := from.open(state.Options{Key: one})
	if err != nil {
		t.Fatal(err)
	}
	text := export(t, s)
	if _, err := state.VerifyExport(s, bytes.NewReader(text)); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		of, given *state.Key
		want      string
	}{{one, nil, ""}, {two, one, ""}, {nil, one, ""}, {two, nil, "it is encrypted with key " + one.ID() + ", which was not given"}, {nil, nil, "--key-file"}} {
		p := newPlace(t)
		s, err := p.open(state.Options{Key: c.of})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Import(bytes.NewReader(text), c.given)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("a state with %v, given %v: %v", c.of, c.given, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := p.content(t, state.Options{Key: c.of}); !maps.Equal(got, want) {
			t.Errorf("a state with %v has %d rows of %d", c.of, len(got), len(want))
		}
		if shown := bytes.Contains(p.bytes(t), []byte(secrets[0])); shown != (c.of == nil) {
			t.Errorf("a state with %v shows the name: %v", c.of, shown)
		}
	}
}

// A registry that was lost is not made again without the key that the tenants have.
func TestRegistryIsLostAndTheKeyIsNotGiven(t *testing.T) {
	t.Parallel()
	p := place{dir: filepath.Join(t.TempDir(), "state")}
	one := aKey(t, 1)
	p.fill(t, one)
	if err := os.Remove(filepath.Join(p.dir, "registry.db")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var wrong *state.KeyError
		if _, err := p.open(state.Options{}); !errors.As(err, &wrong) || wrong.Has != one.ID() {
			t.Fatalf("got %v", err)
		}
	}
	s, err := p.open(state.Options{Key: one})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	owner, owned, err := s.Accounts().OwnerOf("front", "ada@secret.example", graphsync.User)
	if err != nil || owned != (owner.Sync == "front") {
		t.Errorf("%v %v %v", owner, owned, err)
	}
}
