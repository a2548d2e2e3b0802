// Package kvtest verifies that a driver keeps what the seam promises: it compares it with maps, by random steps.
package kvtest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entrasync/state/kv"
)

// Schema is that of the databases that are tested.
var Schema = &kv.Schema{Kind: "fake", Buckets: []string{"outer"}, Checksums: 1}

// A content is what a database should hold: values by path and key, and counters by path.
type content struct {
	rows      map[string]map[string]string
	sequences map[string]uint64
}

func (c *content) clone() *content {
	n := &content{rows: map[string]map[string]string{}, sequences: maps.Clone(c.sequences)}
	for path, rows := range c.rows {
		n.rows[path] = maps.Clone(rows)
	}
	return n
}

var (
	aPath   = rapid.SampledFrom([]string{"outer\x00a\x00deep", "outer\x00b", "other\x00a", "plain"}) // of values
	anyPath = rapid.OneOf(aPath, rapid.SampledFrom([]string{"outer", "outer\x00a", "other"}))
	aKey    = rapid.SampledFrom([]string{"a", "a\x00", "ab", "abc", "a\xff", "a\xff\xff", "b", "b\xff", "\xff", "\xff\xff", "\x00"})
	aPrefix = rapid.SampledFrom([]string{"", "a", "ab", "a\xff", "b", "\xff", "z"})
	aValue  = rapid.SampledFrom([]string{"", "1", "two", strings.Repeat("long", 50)})
)

// Run verifies a driver. open returns an empty database, and reopen the same one, opened again.
func Run(t *testing.T, open func() kv.DB, reopen func(kv.DB) kv.DB) {
	undone := errors.New("undone")
	rapid.Check(t, func(t *rapid.T) {
		db := open()
		defer func() { _ = db.Close() }()
		want := &content{rows: map[string]map[string]string{"outer": {}}, sequences: map[string]uint64{}}
		numbered := uint64(0)
		for range rapid.IntRange(1, 12).Draw(t, "transactions") {
			after, keep := want.clone(), rapid.IntRange(0, 3).Draw(t, "kept") > 0
			err := db.Update(func(tx kv.Tx) error {
				if tx.Number() <= numbered {
					t.Fatalf("number %d does not follow %d", tx.Number(), numbered)
				}
				for range rapid.IntRange(0, 8).Draw(t, "steps") {
					step(t, tx, after)
				}
				compare(t, tx, after)
				if !keep {
					return undone
				}
				numbered = tx.Number() - 1
				return nil
			})
			if keep != (err == nil) || !keep && !errors.Is(err, undone) {
				t.Fatalf("kept: %v, error: %v", keep, err)
			}
			if keep {
				want = after
			}
			if rapid.IntRange(0, 5).Draw(t, "reopen") == 0 {
				db = reopen(db)
			}
			if err := db.View(func(tx kv.Tx) error { compare(t, tx, want); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// step changes something, in both.
func step(t *rapid.T, tx kv.Tx, c *content) {
	path, key, value := aPath.Draw(t, "path"), aKey.Draw(t, "key"), aValue.Draw(t, "value")
	rows, exists := c.rows[path]
	switch kind := rapid.IntRange(0, 8).Draw(t, "step"); {
	case kind == 0:
		path = anyPath.Draw(t, "deleted")
		must(t, tx.DeleteBucket(path))
		for other := range c.rows {
			if other == path || kv.Within(other, path) {
				delete(c.rows, other)
				delete(c.sequences, other)
			}
		}
	case kind <= 2 && exists:
		must(t, tx.Bucket(path).Delete([]byte(key)))
		delete(rows, key)
	case kind == 3 && exists:
		must(t, tx.Bucket(path).SetSequence(tx.Bucket(path).Sequence()+2))
		c.sequences[path] += 2
	case kind == 4 && exists:
		tx.Bucket(path).Warm(slices.Values([][]byte{[]byte(key), []byte("ab"), []byte("never")}))
	default:
		b, err := tx.CreateBucket(path)
		must(t, err)
		for end := range path + "\x00" {
			if end == len(path) || path[end] == 0 {
				if c.rows[path[:end]] == nil {
					c.rows[path[:end]] = map[string]string{}
				}
			}
		}
		put := b.Put
		if kind == 5 {
			put = b.Append
		}
		must(t, put([]byte(key), []byte(value)))
		c.rows[path][key] = value
	}
}

func must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// compare asks for everything in every way.
func compare(t *rapid.T, tx kv.Tx, c *content) {
	for _, outer := range []string{"", "outer", "outer\x00a", "other"} {
		var names []string
		for path := range c.rows {
			at := strings.LastIndexByte(path, 0)
			if outer == "" && at < 0 {
				names = append(names, path)
			} else if at >= 0 && path[:at] == outer {
				names = append(names, path[at+1:])
			}
		}
		slices.Sort(names)
		got := slices.DeleteFunc(slices.Collect(tx.Buckets(outer)), func(name string) bool { return outer == "" && name == kv.Meta })
		equal(t, "buckets in "+outer, got, names)
	}
	all := slices.DeleteFunc(slices.Collect(tx.Paths()), func(path string) bool { return path == kv.Meta })
	equal(t, "paths", all, slices.Sorted(maps.Keys(c.rows)))
	path := aPath.Draw(t, "looked at")
	b, rows := tx.Bucket(path), c.rows[path]
	if (b == nil) != (rows == nil) {
		t.Fatalf("bucket %q is there: %v, want %v", path, b != nil, rows != nil)
	}
	if b == nil {
		return
	}
	equal(t, "sequence", b.Sequence(), c.sequences[path])
	sorted := slices.Sorted(maps.Keys(rows))
	var backward []string
	for k, v := range b.Backward() {
		backward = append(backward, string(k))
		equal(t, "value", string(v), rows[string(k)])
	}
	slices.Reverse(backward)
	equal(t, "backward", backward, sorted)
	key := aKey.Draw(t, "looked for")
	value, found := rows[key]
	if got := b.Get([]byte(key)); (got != nil) != found || string(got) != value {
		t.Fatalf("get %q: %q, want %q %v", key, got, value, found)
	}
	prefix := aPrefix.Draw(t, "prefix")
	after := [][]byte{nil, []byte(key)}[rapid.IntRange(0, 1).Draw(t, "after")]
	var want, got []string
	for _, k := range sorted {
		if strings.HasPrefix(k, prefix) && (after == nil || k > string(after)) {
			want = append(want, k)
		}
	}
	for k, v := range b.Scan([]byte(prefix), after) {
		got = append(got, string(k))
		equal(t, "value", string(v), rows[string(k)])
	}
	equal(t, fmt.Sprintf("scan %q after %q", prefix, after), got, want)
	at, exact := slices.BinarySearch(sorted, key)
	if exact {
		at++
	}
	var floor []byte
	if at >= 2 {
		floor = []byte(sorted[at-2])
	}
	if got := b.Floor([]byte(key)); !bytes.Equal(got, floor) {
		t.Fatalf("floor of %q: %q, want %q", key, got, floor)
	}
}

func equal[T any](t *rapid.T, what string, got, want T) {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s: %q, want %q", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}
