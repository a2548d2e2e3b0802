package audit

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// newLogs makes logs of two tenants and the service, whose lines are n minutes apart, in turn.
func newLogs(t *testing.T, lines int) []Log {
	t.Helper()
	store, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	logs := []Log{{Name: Service, view: store.Audit().View}}
	appends := []func(state.AuditEntry) error{func(e state.AuditEntry) error { return store.Audit().Append(e) }}
	for i, name := range []string{"contoso", "fabrikam"} {
		tenant, err := store.Tenant(graphsync.ID{byte(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tenant.Close() })
		logs = append(logs, Log{tenant.ID(), name, func(read func(state.Audit) error) error {
			return tenant.View(func(tx *state.Tx) error { return read(tx.Audit()) })
		}})
		appends = append(appends, func(e state.AuditEntry) error {
			return tenant.Update(func(tx *state.Tx) error { return tx.Audit().Append(e) })
		})
	}
	for n := range lines {
		about := fmt.Appendf(nil, `{"op":"update","kind":"user","key":"=1+1","changes":[{"attribute":"title","old":null,"new":"a\u001bb%d"}]}`, n)
		e := state.AuditEntry{At: start.Add(time.Duration(n) * time.Minute), Event: "action", Actor: state.Actor{Kind: "command", Name: "@ada"}, Sync: "front", About: about}
		if err := appends[n%3](e); err != nil {
			t.Fatal(err)
		}
	}
	return logs
}

// The lines of several logs come by their times, however many are read at once.
func TestEach(t *testing.T) {
	t.Parallel()
	logs := newLogs(t, 90)
	var got []int
	err := Each(logs, Query{}, func(l *Line) error {
		if l.Event == "action" {
			got = append(got, int(l.At.Sub(start)/time.Minute))
		}
		return nil
	})
	if err != nil || len(got) != 90 || !slices.IsSorted(got) {
		t.Errorf("%v: %v", err, got)
	}
	n := 0
	q := Query{Tenants: []graphsync.ID{{2}}}
	q.Since = start.Add(30 * time.Minute)
	if err := Each(logs, q, func(l *Line) error { n++; return nil }); err != nil || n != 20 {
		t.Errorf("%d lines of the second tenant, %v", n, err)
	}
}

// export writes lines as they are exported.
func export(t *testing.T, logs []Log) (lines []string) {
	t.Helper()
	if err := Each(logs, Query{}, func(l *Line) error { lines = append(lines, string(l.JSON)); return nil }); err != nil {
		t.Fatal(err)
	}
	return lines
}

// An exported file that was edited by hand is told from a valid one, at the line that was edited.
func TestVerifyFiles(t *testing.T) {
	t.Parallel()
	lines := export(t, newLogs(t, 60)[1:2]) // 1 and 20
	for name, tt := range map[string]struct {
		edit func([]string) []string
		seq  uint64
		what string
	}{
		"nothing":                {func(l []string) []string { return l }, 0, ""},
		"rotated files":          {func(l []string) []string { return append(l, "") }, 0, ""},
		"a line written twice":   {func(l []string) []string { return slices.Insert(l, 7, l[6]) }, 0, ""},
		"the first part is gone": {func(l []string) []string { return l[5:] }, 0, ""},
		"a value":                {func(l []string) []string { l[6] = strings.Replace(l[6], `"old":null`, `"old":"x"`, 1); return l }, 7, "not as it was written"},
		"a line taken out":       {func(l []string) []string { return slices.Delete(l, 6, 7) }, 8, "lines 7 to 7 are missing"},
		"two lines moved":        {func(l []string) []string { l[6], l[7] = l[7], l[6]; return l }, 7, "comes after line 8"},
		"a hash made again": {func(l []string) []string {
			changed := strings.Replace(l[6], "@ada", "bob", 1)
			sum := hashOfLine([]byte(changed))
			l[6] = `{"hash":"` + sum + changed[9+64:]
			return l
		}, 8, "does not follow"},
		"another first member":    {func(l []string) []string { l[6] = `{ ` + l[6][1:]; return l }, 7, "not as it was written"},
		"a log that was restored": {func(l []string) []string { return append(l, l[3:]...) }, 4, "restored from a copy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Join(tt.edit(slices.Clone(lines)), "\n")
			checks, err := verifyFiles([]io.Reader{strings.NewReader(text)}, []string{"audit.jsonl"})
			if err != nil || len(checks) != 1 {
				t.Fatal(checks, err)
			}
			c := checks[0]
			found := slices.ContainsFunc(c.Faults, func(f state.AuditFault) bool { return f.Seq == tt.seq && strings.Contains(f.What, tt.what) })
			if c.OK != (tt.what == "") || tt.what != "" && !found {
				t.Errorf("%+v, want line %d: %s", c, tt.seq, tt.what)
			}
		})
	}
}

// The service's lines about a tenant are of the service's chain.
func TestVerifyFilesOfSeveralLogs(t *testing.T) {
	t.Parallel()
	text := strings.Join(export(t, newLogs(t, 60)), "\n")
	checks, err := verifyFiles([]io.Reader{strings.NewReader(text)}, []string{"audit.jsonl"})
	if err != nil || len(checks) != 3 {
		t.Fatal(checks, err)
	}
	for _, c := range checks {
		if !c.OK || c.Last != 21 {
			t.Errorf("%+v", c)
		}
	}
	if _, err := verifyFiles([]io.Reader{strings.NewReader("{\n")}, []string{"audit.jsonl"}); err == nil || !strings.Contains(err.Error(), "audit.jsonl, line 1") {
		t.Error(err)
	}
}

// No cell of the CSV form is run as a formula, and no control character is in it.
func TestWriteCSV(t *testing.T) {
	t.Parallel()
	logs := newLogs(t, 9)
	var out bytes.Buffer
	if err := WriteCSV(&out, func(visit func(*Line) error) error { return Each(logs, Query{}, visit) }); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 1+3+9 {
		t.Fatal(len(rows), err)
	}
	cells := 0
	for _, row := range rows {
		for _, cell := range row {
			if strings.ContainsAny(cell, "\x1b") || cell != "" && strings.ContainsRune("=+-@\t", rune(cell[0])) {
				t.Errorf("cell %q", cell)
			}
			if cell == "'=1+1" || cell == "'@ada" {
				cells++
			}
		}
	}
	if cells != 18 {
		t.Errorf("%d cells are guarded, want 18", cells)
	}
}

// The document of --json is one document, also when there is no line.
func TestWriteJSON(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 9} {
		logs := newLogs(t, n)
		var out bytes.Buffer
		if err := WriteJSON(&out, func(visit func(*Line) error) error { return Each(logs, Query{}, visit) }); err != nil {
			t.Fatal(err)
		}
		var document struct {
			Format string
			Lines  []Line
		}
		if err := json.Unmarshal(out.Bytes(), &document); err != nil || document.Format != "entrasync/audit/1" || len(document.Lines) != n+min(n, 3) {
			t.Errorf("%d lines: %v: %s", n, err, out.String())
		}
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "2026-03-01T08:00:00Z": start, "2026-03-01T09:00:00+01:00": start, "12h": now.Add(-12 * time.Hour), "30d": now.AddDate(0, 0, -30), "90m": now.Add(-90 * time.Minute),
		"2026-03-01": time.Date(2026, 3, 1, 0, 0, 0, 0, time.Local),
	} {
		if got, err := ParseTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "-3d", "-2h", "2026-13-01", "3 d", "d"} {
		if got, err := ParseTime(text, now); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestParseHead(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("ab", 32)
	if head, err := parseHead("12:" + strings.ToUpper(hash)); err != nil || head != (knownHead{12, hash}) {
		t.Error(head, err)
	}
	for _, text := range []string{"", "12", "0:" + hash, "x:" + hash, "12:" + hash[2:], "12:zz" + hash[2:]} {
		if _, err := parseHead(text); err == nil {
			t.Errorf("%q is taken for a head", text)
		}
	}
}
