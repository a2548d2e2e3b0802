package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entrasync/graphsync"
)

var auditStart = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// auditLog opens the audit log of a tenant.
func auditLog(t testing.TB) *Tenant {
	t.Helper()
	store, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := store.Tenant(graphsync.ID{1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tenant.Close(); store.Close() })
	return tenant
}

// auditEntry is an entry about one of some users, in one of some runs.
func auditEntry(n int) AuditEntry {
	user := hashed("user", n%7)
	return AuditEntry{
		At: auditStart.Add(time.Duration(n) * time.Minute), Event: "action", Actor: Actor{ActorCommand, "ada \"the\x1b[31m\n"},
		Tenant: graphsync.ID{1}, Sync: "front", Run: fmt.Sprint("run-", n%5), Result: "done",
		About: fmt.Appendf(nil, `{"source_id":%q,"n":%d}`, user, n), Objects: []graphsync.ID{user},
	}
}

// putEntries appends entries n up to but without end, so many at once.
func putEntries(t testing.TB, tenant *Tenant, n, end, each int) {
	t.Helper()
	err := tenant.Update(func(tx *Tx) error {
		for n < end {
			var entries []AuditEntry
			for range min(each, end-n) {
				entries = append(entries, auditEntry(n))
				n++
			}
			if err := tx.Audit().Append(entries...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// numbers are the numbers that the lines of a query carry in their entries.
func numbers(t testing.TB, tenant *Tenant, q AuditQuery) (found []int) {
	t.Helper()
	err := tenant.View(func(tx *Tx) error {
		for line := range tx.Audit().Lines(q) {
			var entry struct {
				Seq uint64
				N   *int
			}
			if err := json.Unmarshal(line.Text(), &entry); err != nil || entry.Seq != line.Seq {
				t.Fatalf("line %d: %v: %s", line.Seq, err, line.Text())
			}
			if entry.N != nil {
				found = append(found, *entry.N)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func verify(t testing.TB, tenant *Tenant) (check AuditCheck) {
	t.Helper()
	if err := tenant.View(func(tx *Tx) error { check = tx.Audit().Verify(); return nil }); err != nil {
		t.Fatal(err)
	}
	return check
}

// A query finds the lines that a search through all of them finds, however many came in a commit, and also
// after the log was pruned.
func TestAuditQuery(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		tenant := auditLog(t)
		defer tenant.Close()
		n := rapid.SampledFrom([]int{0, 1, 5, 255, 256, 300, 1200}).Draw(rt, "lines")
		putEntries(t, tenant, 0, n, rapid.SampledFrom([]int{1, 3, 100, 255, 256, 700}).Draw(rt, "each")*max(1, n/300))
		first := 0
		if rapid.Bool().Draw(rt, "prune") {
			pruneTo(t, tenant, auditStart.Add(time.Duration(rapid.IntRange(0, n).Draw(rt, "before"))*time.Minute))
			first = n
			if kept := numbers(t, tenant, AuditQuery{}); len(kept) > 0 {
				first = kept[0]
			}
		}
		q := AuditQuery{After: uint64(rapid.IntRange(0, n+2).Draw(rt, "after"))}
		minute := func(label string) time.Time {
			if rapid.Bool().Draw(rt, label+"?") {
				return time.Time{}
			}
			return auditStart.Add(time.Duration(rapid.IntRange(-1, n).Draw(rt, label)) * time.Minute)
		}
		q.Since, q.Until = minute("since"), minute("until")
		user, run := rapid.IntRange(-1, 7).Draw(rt, "user"), rapid.IntRange(-1, 5).Draw(rt, "run")
		if user >= 0 {
			q.Object = hashed("user", user)
		}
		if run >= 0 {
			q.Run = fmt.Sprint("run-", run)
		}
		var want []int
		for i := first; i < n; i++ {
			e := auditEntry(i)
			if uint64(i+2) > q.After && (q.Since.IsZero() || !e.At.Before(q.Since)) && (q.Until.IsZero() || e.At.Before(q.Until)) &&
				(user < 0 || i%7 == user) && (run < 0 || i%5 == run) {
				want = append(want, i)
			}
		}
		if got := numbers(t, tenant, q); !slices.Equal(got, want) {
			rt.Fatalf("%+v of %d lines from %d: %v, want %v", q, n, first, got, want)
		}
		if check := verify(t, tenant); len(check.Faults) > 0 {
			rt.Fatal(check.Faults)
		}
	})
}

func pruneTo(t testing.TB, tenant *Tenant, before time.Time) {
	t.Helper()
	for more := true; more; {
		err := tenant.Update(func(tx *Tx) (err error) {
			more, err = tx.Audit().Prune(auditStart, before, 0, AuditEntry{Actor: Actor{Kind: ActorService}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A log that is larger than it may be loses its oldest lines, and stays a chain.
func TestAuditPrunedBySize(t *testing.T) {
	t.Parallel()
	tenant := auditLog(t)
	putEntries(t, tenant, 0, 2840, 500)
	var size uint64
	prune := func() {
		err := tenant.Update(func(tx *Tx) error {
			if size == 0 {
				size = tx.Audit().size()
			}
			more, err := tx.Audit().Prune(auditStart, time.Time{}, size/2, AuditEntry{})
			if more {
				t.Error("there is more to prune after 3,000 lines")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	prune()
	kept := numbers(t, tenant, AuditQuery{})
	if len(kept) < 1000 || len(kept) > 1700 || kept[len(kept)-1] != 2839 {
		t.Errorf("%d lines are kept, up to %d", len(kept), kept[len(kept)-1])
	}
	stored := uint64(0)
	err := tenant.View(func(tx *Tx) error {
		for _, bucket := range []string{bucketAudit, bucketAuditMarks} {
			for _, raw := range scan(tx.kv.bucket(bucket), nil, nil) {
				stored += uint64(len(raw))
			}
		}
		if got := tx.Audit().size(); got != stored || got > size*6/10 {
			t.Errorf("the log says %d bytes, there are %d, before %d", got, stored, size)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if check := verify(t, tenant); len(check.Faults) > 0 || check.First == 1 {
		t.Errorf("%+v", check)
	}
}

// The hash of a line can be verified with nothing but SHA-256 and the line as it is exported.
func TestAuditHashOfExport(t *testing.T) {
	t.Parallel()
	tenant := auditLog(t)
	putEntries(t, tenant, 0, 600, 100)
	prev := strings.Repeat("0", 64)
	err := tenant.View(func(tx *Tx) error {
		for line := range tx.Audit().Lines(AuditQuery{}) {
			m := regexp.MustCompile(`^\{"hash":"([0-9a-f]{64})",("prev":"([0-9a-f]{64})".*)$`).FindSubmatch(line.JSON())
			if m == nil {
				t.Fatalf("%s", line.JSON())
			}
			if sum := fmt.Sprintf("%x", sha256.Sum256(append([]byte("{"), m[2]...))); sum != string(m[1]) || prev != string(m[3]) {
				t.Fatalf("line %d: hash %s, computed %s, prev %s, want %s", line.Seq, m[1], sum, m[3], prev)
			}
			prev = string(m[1])
			if got, ok := tx.Audit().HashOf(line.Seq); !ok || got != line.Hash {
				t.Fatalf("line %d: %v %v", line.Seq, got, ok)
			}
		}
		if _, head := tx.Audit().Head(); head.String() != prev {
			t.Errorf("the head is %s, the last line %s", head, prev)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Two logs of the same entries are different chains: one cannot be put in the place of the other.
func TestAuditChainsDiffer(t *testing.T) {
	t.Parallel()
	one, other := auditLog(t), auditLog(t)
	putEntries(t, one, 0, 10, 10)
	putEntries(t, other, 0, 10, 10)
	if a, b := verify(t, one), verify(t, other); a.Last != 11 || b.Last != 11 || a.Head == b.Head {
		t.Errorf("%+v and %+v", a, b)
	}
}

// Whatever is changed in a log such that the file stays readable is found, at the line where it begins.
func TestAuditVerify(t *testing.T) {
	t.Parallel()
	rewrite := func(seq uint64, change func(prev AuditHash, lines []auditStored) []byte) func(*Tx) error {
		return func(tx *Tx) error {
			raw := tx.kv.get(auditKey(seq), bucketAudit)
			block := decodeAuditBlock(bytes.Clone(raw))
			lines := block.lines()
			for i := range lines {
				copy(lines[i].hash[:], block.marks[i*auditMarkSize:])
			}
			return tx.kv.put(auditKey(seq), change(block.prev, lines), bucketAudit)
		}
	}
	packed := func(prev AuditHash, lines []auditStored) []byte {
		raw, err := encodePacked(prev, lines)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	swap := func(line int, from, to string) func(AuditHash, []auditStored) []byte {
		return func(prev AuditHash, lines []auditStored) []byte {
			changed := bytes.Replace(lines[line].text, []byte(from), []byte(to), 1)
			if bytes.Equal(changed, lines[line].text) {
				t.Fatalf("no %s in %s", from, lines[line].text)
			}
			lines[line].text = changed
			return packed(prev, lines)
		}
	}
	for name, tt := range map[string]struct {
		change func(*Tx) error
		seq    uint64
		what   string
	}{
		"nothing":           {func(*Tx) error { return nil }, 0, ""},
		"an altered line":   {rewrite(257, swap(42, `"done"`, `"failed"`)), 299, "not as it was written"},
		"another user":      {rewrite(1, swap(5, "ada", "bob")), 6, "not as it was written"},
		"a line taken out":  {rewrite(257, func(p AuditHash, l []auditStored) []byte { return packed(p, slices.Delete(l, 9, 10)) }), 266, "not as it was written"},
		"the last of block": {rewrite(257, func(p AuditHash, l []auditStored) []byte { return packed(p, l[:len(l)-1]) }), 512, "lines 512 to 512 are missing"},
		"a block taken out": {func(tx *Tx) error { return tx.kv.bucket(bucketAudit).Delete(auditKey(257)) }, 257, "lines 257 to 512 are missing"},
		"the end cut off": {func(tx *Tx) error {
			h := tx.Audit().head()
			return tx.kv.bucket(bucketAudit).Delete(auditKey(h.open))
		}, 769, "are missing"},
		"the beginning cut off": {func(tx *Tx) error {
			h := tx.Audit().head()
			h.first = 257
			return errors.Join(tx.kv.bucket(bucketAudit).Delete(auditKey(1)), tx.Audit().putHead(h))
		}, 1, "no line says that they were pruned"},
		"another hash before": {rewrite(257, func(p AuditHash, l []auditStored) []byte { p[3]++; return packed(p, l) }), 257, "does not follow"},
		"another end": {func(tx *Tx) error {
			h := tx.Audit().head()
			h.hash[7]++
			return tx.Audit().putHead(h)
		}, 801, "not the line that the log ends with"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := auditLog(t)
			putEntries(t, tenant, 0, 800, 800)
			if err := tenant.Update(tt.change); err != nil {
				t.Fatal(err)
			}
			check := verify(t, tenant)
			switch {
			case tt.what == "" && len(check.Faults) > 0:
				t.Errorf("%+v", check.Faults)
			case tt.what != "" && (len(check.Faults) == 0 || check.Faults[0].Seq != tt.seq && !hasFault(check, tt.seq, tt.what)):
				t.Errorf("%+v, want line %d: %s", check.Faults, tt.seq, tt.what)
			case tt.what != "" && !hasFault(check, tt.seq, tt.what):
				t.Errorf("%+v, want line %d: %s", check.Faults, tt.seq, tt.what)
			}
		})
	}
}

func hasFault(check AuditCheck, seq uint64, what string) bool {
	return slices.ContainsFunc(check.Faults, func(f AuditFault) bool { return f.Seq == seq && strings.Contains(f.What, what) })
}

// Lines of a transaction that failed are not in the log, and their numbers are used again.
func TestAuditOfFailedTransaction(t *testing.T) {
	t.Parallel()
	tenant := auditLog(t)
	putEntries(t, tenant, 0, 3, 1)
	failed := fmt.Errorf("failed")
	err := tenant.Update(func(tx *Tx) error {
		if err := tx.Audit().Append(auditEntry(3)); err != nil {
			return err
		}
		return failed
	})
	if err != failed {
		t.Fatal(err)
	}
	putEntries(t, tenant, 4, 5, 1)
	if got := numbers(t, tenant, AuditQuery{}); !slices.Equal(got, []int{0, 1, 2, 4}) {
		t.Error(got)
	}
	if check := verify(t, tenant); check.Last != 5 || len(check.Faults) > 0 {
		t.Errorf("%+v", check)
	}
}

// A group with very many members makes blocks of fewer lines, so that reading one needs little memory.
func TestAuditOfLongLines(t *testing.T) {
	t.Parallel()
	tenant := auditLog(t)
	var entries []AuditEntry
	for n := range 300 {
		e := auditEntry(n)
		e.About = fmt.Appendf(nil, `{"source_id":%q,"n":%d,"add":%q}`, hashed("user", n%7), n, strings.Repeat("x", 50_000))
		entries = append(entries, e)
	}
	if err := tenant.Update(func(tx *Tx) error { return tx.Audit().Append(entries...) }); err != nil {
		t.Fatal(err)
	}
	err := tenant.View(func(tx *Tx) error {
		for _, raw := range scan(tx.kv.bucket(bucketAudit), nil, nil) {
			if block := decodeAuditBlock(raw); block.kind == auditPacked && block.count > 21 {
				t.Errorf("a block of %d lines of 50 KB", block.count)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := numbers(t, tenant, AuditQuery{Object: hashed("user", 3)}); len(got) != 43 {
		t.Errorf("%d lines", len(got))
	}
	if check := verify(t, tenant); len(check.Faults) > 0 {
		t.Error(check.Faults)
	}
}

// events are those of the lines of a log.
func events(t testing.TB, read func(func(Audit) error) error) (found []string) {
	t.Helper()
	err := read(func(a Audit) error {
		for line := range a.Lines(AuditQuery{}) {
			var entry struct{ Event string }
			if err := json.Unmarshal(line.Text(), &entry); err != nil {
				return err
			}
			found = append(found, entry.Event)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A tenant's file that was restored from an older copy says so in its log, and in that of the service, once.
func TestAuditOfRestoredFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	id := graphsync.ID{1}
	session := func(n, end int) (tenantLog, serviceLog []string) {
		store, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		tenant, err := store.Tenant(id)
		if err != nil {
			t.Fatal(err)
		}
		defer tenant.Close()
		putEntries(t, tenant, n, end, 10)
		if check := verify(t, tenant); len(check.Faults) > 0 {
			t.Error(check.Faults)
		}
		return events(t, func(read func(Audit) error) error {
			return tenant.View(func(tx *Tx) error { return read(tx.Audit()) })
		}), events(t, store.Audit().View)
	}
	name := filepath.Join(dir, id.String()+".db")
	session(0, 10)
	copied, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, service := session(10, 20); len(service) > 0 {
		t.Errorf("before the file was restored the service's log has %v", service)
	}
	if err := os.WriteFile(name, copied, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		tenant, service := session(20, 21)
		if n := strings.Count(strings.Join(tenant, " "), logForked); n != 1 || tenant[11] != logForked {
			t.Errorf("the log of the restored file has %v", tenant)
		}
		if !slices.Equal(service, []string{"log_started", logForked}) {
			t.Errorf("the log of the service has %v", service)
		}
	}
}
