package file_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"entrasync/target"
	"entrasync/target/file"

	"github.com/google/go-cmp/cmp"
)

func attrs(tb testing.TB, pairs ...any) []target.Attribute {
	tb.Helper()
	var all []target.Attribute
	for i := 0; i < len(pairs); i += 2 {
		p, err := target.ParsePath(pairs[i].(string))
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, target.Attribute{Path: p, Value: pairs[i+1]})
	}
	return all
}

func create(tb testing.TB, a *file.Adapter, name string) target.Ref {
	tb.Helper()
	r, err := a.Create(tb.Context(), target.User, attrs(tb, "userName", name, "active", true))
	if err != nil {
		tb.Fatal(err)
	}
	return r.Ref
}

func names(tb testing.TB, a *file.Adapter) []string {
	tb.Helper()
	names := []string{}
	err := a.List(tb.Context(), target.User, func(page []target.Resource) error {
		for _, r := range page {
			names = append(names, r.Attributes["userName"].(string))
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return names
}

// crash copies the files as a process that dies now would leave them.
func crash(tb testing.TB, path string) (copied string) {
	tb.Helper()
	copied = filepath.Join(tb.TempDir(), "people.jsonl")
	for _, suffix := range []string{"", ".journal", ".index"} {
		b, err := os.ReadFile(path + suffix)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(copied+suffix, b, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return copied
}

func TestWhatWasDoneSurvivesACrash(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	a := open(t, path)
	ada, bob := create(t, a, "ada"), create(t, a, "bob")
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	create(t, a, "cleo")
	group, err := a.Create(t.Context(), target.Group, attrs(t, "displayName", "Sales"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.ChangeMembers(t.Context(), group.Ref, []string{ada.ID, bob.ID}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Update(t.Context(), ada, attrs(t, "userName", "lovelace")); err != nil {
		t.Fatal(err)
	}
	if err := a.Delete(t.Context(), bob); err != nil {
		t.Fatal(err)
	}

	after := open(t, crash(t, path))
	if diff := cmp.Diff([]string{"lovelace", "cleo"}, names(t, after)); diff != "" {
		t.Errorf("users after the crash (-want +got):\n%s", diff)
	}
	members, _, err := after.Members(t.Context(), group.Ref)
	if diff := cmp.Diff([]string{ada.ID}, members); err != nil || diff != "" {
		t.Errorf("members after the crash (-want +got):\n%s %v", diff, err)
	}
}

// At every byte at which a write can have been cut off, the calls before it are there, the one
// that was cut off is not, and the next cycle resumes.
func TestATornJournalLosesOnlyWhatWasNotDone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	a := open(t, path)
	create(t, a, "ada")
	whole, err := os.ReadFile(path + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	create(t, a, "bob")
	both, err := os.ReadFile(path + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(whole); cut < len(both); cut++ {
		torn := filepath.Join(t.TempDir(), "people.jsonl")
		if err := os.WriteFile(torn+".journal", both[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		b := open(t, torn)
		create(t, b, "cleo")
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"ada", "cleo"}, names(t, b)); diff != "" {
			t.Fatalf("cut at %d (-want +got):\n%s", cut, diff)
		}
	}
}

// A crash between the rename of the new file and the removal of the journal does every change
// of the journal a second time.
func TestReplayingTheJournalTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	a := open(t, path)
	ada := create(t, a, "ada")
	bob := create(t, a, "bob")
	if err := a.Delete(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Update(t.Context(), ada, attrs(t, "title", "Countess")); err != nil {
		t.Fatal(err)
	}
	journal, err := os.ReadFile(path + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := lines(t, path)
	if err := os.WriteFile(path+".journal", journal, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, path).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := open(t, path)
	names(t, b) // takes the journal up
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, lines(t, path)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := os.Stat(path + ".journal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the journal is still there: %v", err)
	}
}

func TestASecondUserOfTheFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	a := open(t, path)
	create(t, a, "ada")
	b := open(t, path)
	_, err := b.Create(t.Context(), target.User, attrs(t, "userName", "bob"))
	if target.CodeOf(err) != target.Unavailable || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("got %v, want an error that says who is in the way", err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	create(t, b, "bob")
	if diff := cmp.Diff([]string{"ada", "bob"}, names(t, b)); diff != "" {
		t.Error(diff)
	}
}

func TestAnEditBetweenCallsIsNoticed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	a := open(t, path)
	ada := create(t, a, "ada")
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Update(t.Context(), ada, attrs(t, "title", "Countess")); err != nil {
		t.Fatal(err)
	}
	edited := append(lines(t, path), `{"id":"by-hand","userName":"hand","shoeSize":44}`)
	if err := os.WriteFile(path, []byte(strings.Join(edited, "\n")+"\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ada", "hand"}, names(t, a)); diff != "" {
		t.Errorf("users after the edit (-want +got):\n%s", diff)
	}
	if _, err := a.Create(t.Context(), target.User, attrs(t, "userName", "HAND")); target.CodeOf(err) != target.Conflict {
		t.Errorf("a name that was added by hand: %v, want a conflict", err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := lines(t, path)
	if len(got) != 2 || !strings.Contains(got[0], "Countess") || got[1] != edited[1] {
		t.Errorf("the file lost the edit or the change:\n%s", strings.Join(got, "\n"))
	}
}

func TestReadingLeavesNoTrace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "people.jsonl")
	a := open(t, path)
	profile, err := a.Probe(t.Context(), nil)
	if err != nil || len(profile.Notes) != 1 || !strings.Contains(profile.Notes[0], "will be made") {
		t.Errorf("probe: %+v, %v", profile, err)
	}
	names(t, a)
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("reading made %v (%v)", left, err)
	}
	create(t, a, "ada")
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v (%v)", name, info.Mode().Perm(), want, err)
		}
	}
}

func TestAFileThatCannotBeWrittenSaysSo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:                                    "is a directory",
		filepath.Join(dir, "plain", "p.jsonl"): "not a directory",
	} {
		a := open(t, path)
		if _, err := a.Probe(t.Context(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("probe %s: %v, want %q", path, err, want)
		}
		if _, err := a.Create(t.Context(), target.User, attrs(t, "userName", "ada")); target.CodeOf(err) != target.Unavailable {
			t.Errorf("create in %s: %v", path, err)
		}
	}
}

// A full disk: the call says that it may or may not have happened, memory falls back to what
// the disk has, and when there is room again writing resumes.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	a := open(t, path)
	create(t, a, "ada")
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", path+".journal"); err != nil {
		t.Fatal(err)
	}
	_, err := a.Create(t.Context(), target.User, attrs(t, "userName", "bob"))
	var e *target.Error
	if !errors.As(err, &e) || e.Code != target.Unavailable || !e.Indeterminate || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("create on a full disk: %v", err)
	}
	if err := os.Remove(path + ".journal"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ada"}, names(t, a)); diff != "" {
		t.Errorf("after the failure (-want +got):\n%s", diff)
	}
	create(t, a, "bob")
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(lines(t, path)); n != 2 {
		t.Errorf("the file has %d lines, want 2", n)
	}
}

func BenchmarkCreate(b *testing.B) {
	for _, workers := range []int{2, 8, 32} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			a := open(b, filepath.Join(b.TempDir(), "people.jsonl"))
			department := attrs(b, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "Sales", "title", "Engineer", "active", true, "displayName", "Person", `emails[type eq "work"].value`, "x@example.com")
			name := attrs(b, "userName", "")[0].Path
			var n atomic.Int64
			b.SetParallelism(max(1, workers/runtime.GOMAXPROCS(0)))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					user := append([]target.Attribute{{Path: name, Value: fmt.Sprintf("user%d@example.com", n.Add(1))}}, department...)
					if _, err := a.Create(b.Context(), target.User, user); err != nil {
						b.Error(err)
						return
					}
				}
			})
			if err := a.Close(b.Context()); err != nil {
				b.Error(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
		})
	}
}
