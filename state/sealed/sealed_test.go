package sealed_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entrasync/state/bolt"
	"entrasync/state/kv"
	"entrasync/state/kv/kvtest"
	"entrasync/state/sealed"
)

var of = sealed.Of{Kind: kvtest.Schema.Kind, ID: "x"}

func readable(string) sealed.Rule { return sealed.Rule{} }

func key(t interface{ Fatal(...any) }, n byte) *sealed.Key {
	k, err := sealed.NewKey(append(bytes.Repeat([]byte{n}, 31), 1))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func file(t interface{ Fatal(...any) }, path string) *bolt.File {
	f, err := bolt.Open(path, kvtest.Schema, of.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.NoSync()
	return f
}

// An encrypted database keeps what the seam promises.
func TestSealedDatabase(t *testing.T) {
	t.Parallel()
	dir, n, ring := t.TempDir(), 0, sealed.Ring{Current: key(t, 1)}
	paths := map[kv.DB]string{}
	at := func(path string) kv.DB {
		db, _, err := sealed.Open(file(t, path), path, of, ring, readable)
		if err != nil {
			t.Fatal(err)
		}
		paths[db] = path
		return db
	}
	kvtest.Run(t, func() kv.DB { n++; return at(filepath.Join(dir, fmt.Sprint(n))) }, func(db kv.DB) kv.DB {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return at(paths[db])
	})
}

// Keys that are hidden are found again, by what stays of them and by their parts, and come out as they were put in.
func TestHiddenKeys(t *testing.T) {
	t.Parallel()
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		part := rapid.SliceOfN(rapid.Byte(), 4, 4)
		rule := rapid.SampledFrom([]sealed.Rule{
			{Hides: true}, {Hides: true, Keep: 2}, {Hides: true, Keep: 1, Part: 4}, {Hides: true, Part: 4, Both: true}, {Hides: true, Tail: 4},
		}).Draw(t, "rule")
		db, _, err := sealed.Open(file(t, filepath.Join(dir, fmt.Sprint(n))), "x", of, sealed.Ring{Current: key(t, 1)}, func(string) sealed.Rule { return rule })
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		want := map[string]string{}
		for range rapid.IntRange(1, 30).Draw(t, "keys") {
			k := slices.Concat(part.Draw(t, "beginning"), part.Draw(t, "middle"), part.Draw(t, "end"))
			want[string(k)] = rapid.String().Draw(t, "value")
		}
		err = db.Update(func(tx kv.Tx) error {
			for k, v := range want {
				b, err := tx.CreateBucket("outer\x00b")
				if err == nil {
					err = b.Put([]byte(k), []byte(v))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.View(func(tx kv.Tx) error {
			b, got := tx.Bucket("outer\x00b"), map[string]string{}
			var after []byte
			for more := true; more; { // in pages of two
				more = false
				for k, v := range b.Scan(nil, after) {
					got[string(k)], more, after = string(v), true, bytes.Clone(k)
					if len(got)%2 == 0 {
						break
					}
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("got %q, want %q", got, want)
			}
			for k, v := range want {
				if got := b.Get([]byte(k)); string(got) != v {
					t.Fatalf("%x has %q, want %q", k, got, v)
				}
				until := map[sealed.Rule]int{{Hides: true}: 12, {Hides: true, Keep: 2}: 2, {Hides: true, Keep: 1, Part: 4}: 5, {Hides: true, Part: 4, Both: true}: 4, {Hides: true, Tail: 4}: 8}[rule]
				n := 0
				for found := range b.Scan([]byte(k[:until]), nil) {
					if n++; string(found[:until]) != k[:until] {
						t.Fatalf("a scan of %x has %x", k[:until], found)
					}
				}
				same := 0
				for other := range want {
					if other[:until] == k[:until] {
						same++
					}
				}
				if n != same {
					t.Fatalf("a scan of %x has %d, want %d", k[:until], n, same)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// A value that was changed, or moved to another key, bucket or database, is not read.
func TestValuesStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	ring := sealed.Ring{Current: key(t, 1)}
	open := func(path string, of sealed.Of) (*bolt.File, kv.DB) {
		f, err := bolt.Open(path, kvtest.Schema, of.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		db, _, err := sealed.Open(f, path, of, ring, readable)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx kv.Tx) error {
			for _, path := range []string{"outer\x00a", "outer\x00b"} {
				b, err := tx.CreateBucket(path)
				if err != nil {
					return err
				}
				if err := errors.Join(b.Put([]byte("k"), []byte("value")), b.Put([]byte("l"), []byte("value"))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return f, db
	}
	get := func(db kv.DB) (got string, err error) {
		err = db.View(func(tx kv.Tx) error { got = string(tx.Bucket("outer\x00a").Get([]byte("k"))); return nil })
		return got, err
	}
	stored := func(f *bolt.File, path, key string) (value []byte) {
		_ = f.View(func(tx kv.Tx) error { value = bytes.Clone(tx.Bucket(path).Get([]byte(key))); return nil })
		return value
	}
	other, _ := open(filepath.Join(t.TempDir(), "other"), sealed.Of{Kind: of.Kind, ID: "y"})
	defer other.Close()
	for name, from := range map[string]func(f *bolt.File) []byte{
		"of another key":      func(f *bolt.File) []byte { return stored(f, "outer\x00a", "l") },
		"of another bucket":   func(f *bolt.File) []byte { return stored(f, "outer\x00b", "k") },
		"of another database": func(*bolt.File) []byte { return stored(other, "outer\x00a", "k") },
		"changed":             func(f *bolt.File) []byte { v := stored(f, "outer\x00a", "k"); v[len(v)-1] ^= 1; return v },
		"cut off":             func(f *bolt.File) []byte { return stored(f, "outer\x00a", "k")[:10] },
		"not encrypted":       func(*bolt.File) []byte { return []byte("value") },
	} {
		f, db := open(filepath.Join(t.TempDir(), "db"), of)
		if got, err := get(db); err != nil || got != "value" {
			t.Fatalf("%q, %v", got, err)
		}
		moved := from(f)
		if err := f.Update(func(tx kv.Tx) error { return tx.Bucket("outer\x00a").Put([]byte("k"), moved) }); err != nil {
			t.Fatal(err)
		}
		got, err := get(db)
		if damaged := (*bolt.DamagedError)(nil); !errors.As(err, &damaged) || !strings.Contains(err.Error(), "cannot be decrypted") {
			t.Errorf("a value %s is read as %q, %v", name, got, err)
		}
		f.Close()
	}
}

// Each way in which key and database do not go together has its error.
func TestWrongKeys(t *testing.T) {
	t.Parallel()
	with := func(path string, ring sealed.Ring) error {
		f := file(t, path)
		defer f.Close()
		db, _, err := sealed.Open(f, path, of, ring, readable)
		if err != nil {
			return err
		}
		return db.Update(func(tx kv.Tx) error {
			b, err := tx.CreateBucket("outer\x00a")
			if err != nil {
				return err
			}
			return b.Put([]byte("k"), []byte("v"))
		})
	}
	one, two := key(t, 1), key(t, 2)
	encrypted, plain := filepath.Join(t.TempDir(), "encrypted"), filepath.Join(t.TempDir(), "plain")
	if err := errors.Join(with(encrypted, sealed.Ring{Current: one}), with(plain, sealed.Ring{})); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		ring sealed.Ring
		want string
	}{
		{encrypted, sealed.Ring{Current: one}, ""},
		{encrypted, sealed.Ring{Current: two, Others: []*sealed.Key{one}}, ""},
		{encrypted, sealed.Ring{}, "it is encrypted with key " + one.ID() + ", and the configuration names no key; name the file"},
		{encrypted, sealed.Ring{Current: two}, "holds key " + two.ID() + "; name the file with the right key in state.key_file"},
		{plain, sealed.Ring{}, ""},
		{plain, sealed.Ring{Current: one, Plain: true}, ""},
		{plain, sealed.Ring{Current: one}, "it is not encrypted, and state.key_file names a key; encrypt it with: entrasync state rekey"},
	} {
		err := with(c.path, c.ring)
		if wrong := (*sealed.KeyError)(nil); c.want == "" && err != nil || c.want != "" && (!errors.As(err, &wrong) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s with %v: %v, want %q", filepath.Base(c.path), c.ring, err, c.want)
		}
	}
}

// A key file is read in its forms, and refused when others can read it or it holds no key. A key is never printed.
func TestKeyFiles(t *testing.T) {
	t.Parallel()
	secret := []byte("0123456789abcdef0123456789abcde\n")
	write := func(content string, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), "key")
		if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	want, err := sealed.NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	const encoded = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZQo="
	for _, content := range []string{string(secret), encoded, encoded + "\n", strings.TrimRight(encoded, "=") + "\r\n", fmt.Sprintf("%x\n", secret)} {
		got, err := sealed.ReadKey(write(content, 0o400))
		if err != nil || !got.Same(want) {
			t.Errorf("%q: %v, %v", content, got, err)
		}
	}
	for _, shown := range []string{fmt.Sprint(want), fmt.Sprintf("%v %+v %#v %s %q", want, want, want, want, want)} {
		if strings.Contains(shown, "0123") || strings.Contains(shown, "48, 49") || strings.Contains(shown, fmt.Sprintf("%x", secret[:4])) {
			t.Errorf("the key is printed: %s", shown)
		}
	}
	for content, mode := range map[string]os.FileMode{encoded: 0o644, encoded + "\n": 0o640, encoded + " ": 0o620, "\n" + encoded: 0o604} {
		if path := write(content, mode); os.Geteuid() != 0 || mode != 0o640 {
			if _, err := sealed.ReadKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
				t.Errorf("mode %04o: %v", mode, err)
			}
		}
	}
	for _, content := range []string{"", "passphrase", strings.Repeat("0", 64), encoded[:40], encoded + encoded} {
		if _, err := sealed.ReadKey(write(content, 0o600)); err == nil || !strings.Contains(err.Error(), "openssl rand -base64 32") || content != "" && strings.Contains(err.Error(), content) {
			t.Errorf("%q: %v", content, err)
		}
	}
	if _, err := sealed.ReadKey(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "put the key file back") {
		t.Error(err)
	}
	if _, err := sealed.ReadKey(t.TempDir()); err == nil {
		t.Error("a folder is read as a key")
	}
}
