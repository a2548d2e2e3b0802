package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/state"
)

// exportedFrom opens a state with two logs.
func exportedFrom(t interface{ Fatal(...any) }, dir string) (*state.Store, []Log) {
	store, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	id := graphsync.ID{1}
	view := func(read func(state.Audit) error) error {
		tenant, err := store.Tenant(id)
		if err != nil {
			return err
		}
		defer tenant.Close()
		return tenant.View(func(tx *state.Tx) error { return read(tx.Audit()) })
	}
	return store, []Log{{Name: Service, view: store.Audit().View}, {Tenant: id, Name: "contoso", view: view}}
}

// said returns the numbers of the lines in the files of an export, by log and in their order.
func said(t interface{ Fatal(...any) }, x *Export) map[string][]uint64 {
	names, err := filepath.Glob(x.File + ".0*")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	got := map[string][]uint64{}
	for _, name := range append(names, x.File) {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(text)) > x.MaxSize {
			t.Fatal(fmt.Sprintf("%s has %d bytes", filepath.Base(name), len(text)))
		}
		for line := range bytes.Lines(text) {
			var l struct {
				Seq uint64 `json:"seq"`
				Log string `json:"log"`
			}
			if err := json.Unmarshal(line, &l); err != nil {
				t.Fatal(fmt.Sprintf("%s: %q: %v", filepath.Base(name), line, err))
			}
			got[l.Log] = append(got[l.Log], l.Seq)
		}
	}
	return got
}

// However often it is killed, and wherever, an export has each line once and in the order of its log.
func TestExportHasEachLineOnce(t *testing.T) {
	t.Parallel()
	root, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(root, fmt.Sprint(n))
		store, logs := exportedFrom(t, filepath.Join(dir, "state"))
		defer store.Close()
		x := &Export{File: filepath.Join(dir, "out", "audit.jsonl"), Format: JSONL, MaxSize: 2000, Keep: 1000, Host: "one"}
		defer func() { _ = x.Close() }()
		run := func() {
			if _, err := x.Run(context.Background(), store, logs); err != nil {
				t.Fatal(err)
			}
		}
		add := func(log, lines int) {
			entries := make([]state.AuditEntry, lines)
			for i := range entries {
				entries[i] = state.AuditEntry{At: time.Now(), Event: "configuration", Actor: state.Actor{Kind: state.ActorService}, Result: "loaded"}
			}
			var err error
			if log == 0 {
				err = store.Audit().Append(entries...)
			} else {
				tenant, openErr := store.Tenant(logs[1].Tenant)
				if openErr != nil {
					t.Fatal(openErr)
				}
				err = errors.Join(tenant.Update(func(tx *state.Tx) error { return tx.Audit().Append(entries...) }), tenant.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 10).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				add(rapid.IntRange(0, 1).Draw(t, "log"), rapid.IntRange(1, 10).Draw(t, "lines"))
			case 1:
				run()
			case 2: // killed when lines were written and the position was not noted
				if f, err := os.OpenFile(x.File, os.O_APPEND|os.O_WRONLY, 0); err == nil {
					_, err := f.WriteString(`{"seq":99,"lo`)
					if err := errors.Join(err, f.Close()); err != nil {
						t.Fatal(err)
					}
				}
			case 3: // killed when the file was completed and that was not noted
				raw, err := store.Audit().ExportPosition(x.key())
				var at position
				if err == nil && raw != nil {
					err = json.Unmarshal(raw, &at)
				}
				if err != nil {
					t.Fatal(err)
				}
				if info, err := os.Stat(x.File); err == nil && at.Size > 0 && info.Size() >= at.Size {
					if err := os.Truncate(x.File, at.Size); err != nil {
						t.Fatal(err)
					}
					if err := os.Rename(x.File, x.completed(at.Number+1)); err != nil {
						t.Fatal(err)
					}
				}
			case 4: // another process resumes
				if err := x.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
		run()
		got := said(t, x)
		for i, name := range []string{Service, ""} {
			var want []uint64
			if err := logs[i].view(func(a state.Audit) error {
				for line := range a.Lines(state.AuditQuery{}) {
					want = append(want, line.Seq)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got[name], want) {
				t.Fatalf("log %q: %v of %v", name, got[name], want)
			}
		}
	})
}

// Another process of the machine does not write to the same file; only so many completed files are kept; a file has one form.
func TestExportFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, logs := exportedFrom(t, filepath.Join(dir, "state"))
	defer store.Close()
	x := &Export{File: filepath.Join(dir, "audit[1].jsonl"), Format: JSONL, MaxSize: 1000, Keep: 2, Host: "one"}
	entries := make([]state.AuditEntry, 50)
	for i := range entries {
		entries[i] = state.AuditEntry{At: time.Now(), Event: "configuration", Actor: state.Actor{Kind: state.ActorService}}
	}
	if err := store.Audit().Append(entries...); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Run(context.Background(), store, logs); err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if _, err := (&Export{File: x.File, Format: JSONL, MaxSize: 1000}).Run(context.Background(), store, logs); !errors.As(err, &locked) {
		t.Errorf("a second process: %v", err)
	}
	x.Format = OCSF
	if err := store.Audit().Append(entries[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Run(context.Background(), store, logs); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(x.File)
	if err != nil || bytes.Count(text, []byte("\n")) != 1 || !bytes.Contains(text, []byte(`"class_uid":3004`)) {
		t.Errorf("%s %v", text, err)
	}
	entriesLeft, err := os.ReadDir(dir)
	if err != nil || len(entriesLeft) != 5 { // state, the file, its lock, two completed ones
		t.Errorf("%v %v", entriesLeft, err)
	}
	info, err := os.Stat(x.File)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}
