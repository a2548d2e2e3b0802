package state

import (
	"fmt"
	"testing"
	"time"

	"entrasync/graphsync"
)

// benchEntry is the creation of an account with ten attributes, as a first sync reports it.
func benchEntry(n int) AuditEntry {
	user := hashed("user", n)
	return AuditEntry{
		At: auditStart.Add(time.Duration(n) * time.Millisecond), Event: "action", Actor: Actor{ActorCommand, "ada"}, Tenant: graphsync.ID{1},
		Sync: "front", Run: "20260301T080000.000Z", Result: "done", Objects: []graphsync.ID{user},
		About: fmt.Appendf(nil, `{"account":"%x","op":"create","kind":"user","source_id":"%s","target_id":null,"key":"user%d@contoso.example","changes":[`+
			`{"attribute":"externalId","old":null,"new":"%s"},{"attribute":"userName","old":null,"new":"user%d@contoso.example"},{"attribute":"active","old":null,"new":true},`+
			`{"attribute":"displayName","old":null,"new":"User %d"},{"attribute":"name.givenName","old":null,"new":"Given %d"},{"attribute":"name.familyName","old":null,"new":"Family %d"},`+
			`{"attribute":"title","old":null,"new":"Analyst %d"},{"attribute":"emails[type eq \"work\"].value","old":null,"new":"user%d@contoso.example"}],"why":"assigned through group Sales","outcome":"done"}`,
			user[:8], user, n, user, n, n, n, n, n%50, n),
	}
}

// BenchmarkAuditAppend measures what a line costs in a commit of 2,048, as the recorder writes them.
func BenchmarkAuditAppend(b *testing.B) {
	tenant := auditLog(b)
	const each = 2048
	n, text := 0, 0
	for b.Loop() {
		b.StopTimer()
		entries := make([]AuditEntry, each)
		for i := range entries {
			entries[i] = benchEntry(n)
			text += len(entries[i].About)
			n++
		}
		b.StartTimer()
		if err := tenant.Update(func(tx *Tx) error { return tx.Audit().Append(entries...) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/line")
	size := uint64(0)
	_ = tenant.View(func(tx *Tx) error { size = tx.Audit().size(); return nil })
	b.ReportMetric(float64(size)/float64(n), "bytes/line")
}

// BenchmarkAuditOfUser measures finding the ten lines of one user among a million of 100,000 users.
func BenchmarkAuditOfUser(b *testing.B) {
	tenant := auditLog(b)
	const users, lines, each = 100_000, 1_000_000, 20_480
	for n := 0; n < lines; {
		var entries []AuditEntry
		for range min(each, lines-n) {
			entries = append(entries, benchEntry(n%users))
			n++
		}
		if err := tenant.Update(func(tx *Tx) error { return tx.Audit().Append(entries...) }); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		found := 0
		_ = tenant.View(func(tx *Tx) error {
			for range tx.Audit().Lines(AuditQuery{Object: hashed("user", 4711)}) {
				found++
			}
			return nil
		})
		if found != lines/users {
			b.Fatalf("%d lines", found)
		}
	}
}
