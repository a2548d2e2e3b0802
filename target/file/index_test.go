package file_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"entrasync/target"
	"entrasync/target/file"

	"github.com/google/go-cmp/cmp"
)

// people makes users in a file with an index and ends the cycle.
func people(tb testing.TB, path string, n int) (refs []target.Ref) {
	tb.Helper()
	a := openSmall(tb, path)
	for i := range n {
		refs = append(refs, create(tb, a, fmt.Sprintf("user%d", i)))
	}
	if err := a.Close(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if !file.Indexed(path) {
		tb.Fatal("the file has no index")
	}
	return refs
}

// A line far away is replaced by what no reader would take, without a change of time and size: who reads it fails.
func TestAChangeReadsItsOwnPlaceOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	refs := people(t, path, 40)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Replace(text, []byte(`"userName":"user20"`), []byte(`"userName":::::::::`), 1)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(damaged, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}

	a := openSmall(t, path)
	if _, err := a.Update(t.Context(), refs[0], attrs(t, "title", "Countess")); err != nil {
		t.Errorf("update: %v", err)
	}
	if _, err := a.Create(t.Context(), target.User, attrs(t, "userName", "USER39")); target.CodeOf(err) != target.Conflict {
		t.Errorf("create of a name that is taken: %v", err)
	}
	create(t, a, "new")
	if err := a.Delete(t.Context(), refs[39]); err != nil {
		t.Errorf("delete: %v", err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := lines(t, path)
	if len(got) != 40 || !bytes.Contains([]byte(got[20]), []byte(":::::")) || !bytes.Contains([]byte(got[0]), []byte("Countess")) {
		t.Errorf("the file has %d lines and starts with %s", len(got), got[0])
	}
	if _, err := open(t, path).Get(t.Context(), refs[20]); err == nil {
		t.Error("the damaged line is read without an error")
	}
}

// Whatever stands in the index, the answers are those of the file.
func TestAnIndexThatDoesNotBelongToTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	people(t, path, 6)
	index, err := os.ReadFile(path + ".index")
	if err != nil {
		t.Fatal(err)
	}
	want := names(t, openSmall(t, path))
	bad := [][]byte{nil, []byte("?"), bytes.Repeat([]byte{0xff}, 200), append(bytes.Clone(index), 'x')}
	for n := 0; n < len(index); n += 7 {
		bad = append(bad, index[:n])
	}
	for i := len(index) - 60; i < len(index); i++ { // the directory and the trailer
		other := bytes.Clone(index)
		other[i] ^= 0x40
		bad = append(bad, other)
	}
	for i, text := range bad {
		if err := os.WriteFile(path+".index", text, 0o600); err != nil {
			t.Fatal(err)
		}
		a := openSmall(t, path)
		if diff := cmp.Diff(want, names(t, a)); diff != "" {
			t.Fatalf("with index %d (-want +got):\n%s", i, diff)
		}
		if _, err := a.Create(t.Context(), target.User, attrs(t, "userName", "User3")); target.CodeOf(err) != target.Conflict {
			t.Fatalf("with index %d: create of a name that is taken: %v", i, err)
		}
		if err := a.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// A crash between the file's rename and the new index leaves the index of the content before.
func TestTheIndexOfTheContentBefore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	refs := people(t, path, 20)
	before, err := os.ReadFile(path + ".index")
	if err != nil {
		t.Fatal(err)
	}
	a := openSmall(t, path)
	if _, err := a.Update(t.Context(), refs[3], attrs(t, "userName", "a much longer name than the one before")); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".index", before, 0o600); err != nil {
		t.Fatal(err)
	}
	a = openSmall(t, path)
	for name, want := range map[string]target.Code{"user3": "", "user19": target.Conflict} {
		_, err := a.Create(t.Context(), target.User, attrs(t, "userName", name))
		if (err == nil) != (want == "") || err != nil && target.CodeOf(err) != want {
			t.Errorf("create %s: %v, want %q", name, err, want)
		}
	}
}

// Cycle after cycle the index follows, with the records that no longer count and without those of a foreign run.
func TestManyCyclesOfAnIndexedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	refs := people(t, path, 12)
	for cycle := range 40 {
		a := openSmall(t, path)
		one := refs[cycle%len(refs)]
		if _, err := a.Update(t.Context(), one, attrs(t, "userName", fmt.Sprintf("cycle%d", cycle))); err != nil {
			t.Fatal(err)
		}
		refs = append(refs, create(t, a, fmt.Sprintf("new%d", cycle)))
		if err := a.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := openSmall(t, path)
		for name, want := range map[string]string{fmt.Sprintf("cycle%d", cycle): one.ID, fmt.Sprintf("new%d", cycle): refs[len(refs)-1].ID} {
			found, err := b.Find(t.Context(), target.User, attrs(t, "userName", "")[0].Path, name)
			if err != nil || len(found) != 1 || found[0].ID != want {
				t.Fatalf("cycle %d: %s is %v, %v", cycle, name, found, err)
			}
		}
	}
	if info, err := os.Stat(path + ".index"); err != nil || info.Size() > 100_000 {
		t.Errorf("the index has %d bytes (%v)", info.Size(), err)
	}
}

// A user whose deletion is taken up a second time does not stay a member.
func TestADeletionIsRepeatedAfterACrash(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	a := open(t, path)
	ada := create(t, a, "ada")
	group, err := a.Create(t.Context(), target.Group, attrs(t, "displayName", "Sales"))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ChangeMembers(t.Context(), group.Ref, []string{ada.ID}, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.Delete(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	journal, err := os.ReadFile(path + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".journal", journal, 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, path)
	if ids, _, err := b.Members(t.Context(), group.Ref); err != nil || len(ids) != 0 {
		t.Errorf("members are %v, %v, want none", ids, err)
	}
}

// A bit of the index that the disk has changed hides no account and shows none twice: what was asked is answered from
// the file itself.
func TestAFlippedBitOfTheIndex(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	refs := people(t, path, 40)
	index, err := os.ReadFile(path + ".index")
	if err != nil {
		t.Fatal(err)
	}
	userName, err := target.ParsePath("userName")
	if err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() {
		step = 17
	}
	for at := 0; at < len(index); at += step {
		damaged := bytes.Clone(index)
		damaged[at] ^= 1 << (at % 8)
		if err := os.WriteFile(path+".index", damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		a := openSmall(t, path)
		n := at % len(refs)
		shown, err := a.Get(t.Context(), refs[n])
		if err != nil || shown.Attributes["userName"] != fmt.Sprintf("user%d", n) {
			t.Fatalf("byte %d: account %d is %v, %v", at, n, shown, err)
		}
		found, err := a.Find(t.Context(), target.User, userName, fmt.Sprintf("USER%d", n))
		if err != nil || len(found) != 1 || found[0].ID != refs[n].ID {
			t.Fatalf("byte %d: a search for account %d finds %v, %v", at, n, found, err)
		}
		if _, err := a.Create(t.Context(), target.User, attrs(t, "userName", fmt.Sprintf("user%d", n))); target.CodeOf(err) != target.Conflict {
			t.Fatalf("byte %d: the name of account %d is given out again: %v", at, n, err)
		}
		if err := a.Close(t.Context()); err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
}
