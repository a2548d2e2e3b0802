package reconcile_test

import (
	"context"
	"testing"

	"entrasync/state"
	"entrasync/state/postgres/pgtest"
)

// BenchmarkStores makes the same cycles with the state in files and in PostgreSQL: the first one, those with a hundred changes,
// and those without a change.
func BenchmarkStores(b *testing.B) {
	server := pgtest.Run(b)
	stores := []struct {
		name string
		open func(*testing.B) *benchWorker
	}{
		{"files", func(b *testing.B) *benchWorker { return newBenchWorker(b, benchPeople) }},
		{"postgres", func(b *testing.B) *benchWorker {
			store, err := state.OpenPostgres(context.Background(), server.Database(b), b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			return newBenchWorkerOn(b, store, benchPeople)
		}},
	}
	for _, store := range stores {
		b.Run("first/"+store.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				w := store.open(b)
				b.StartTimer()
				w.cycle(b)
				b.StopTimer()
				w.close(b)
				b.StartTimer()
			}
		})
		b.Run("hundred/"+store.name, func(b *testing.B) {
			w := store.open(b)
			defer w.close(b)
			w.cycle(b)
			for i := 0; b.Loop(); i++ {
				for n := range 100 {
					w.source.pending = append(w.source.pending, benchUser(n*(benchPeople/100), i+1))
				}
				if report := w.cycle(b); report.Summary.Update != 100 {
					b.Fatalf("a cycle after 100 changes did %+v", report.Summary)
				}
			}
		})
		b.Run("nothing/"+store.name, func(b *testing.B) {
			w := store.open(b)
			defer w.close(b)
			w.cycle(b)
			for b.Loop() {
				w.cycle(b)
			}
		})
	}
}

// benchPeople is how many there are.
const benchPeople = 5_000
