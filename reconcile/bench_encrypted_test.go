package reconcile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"entrasync/state"
)

// BenchmarkEncryptedCycle compares a first cycle, and one after one change, with a state that is encrypted and one that is not,
// by turns. The application and the directory cost nothing here, so that it is the most that encryption may add.
func BenchmarkEncryptedCycle(b *testing.B) {
	file := filepath.Join(b.TempDir(), "key")
	if err := os.WriteFile(file, append(bytes.Repeat([]byte{1}, 31), 2), 0o600); err != nil {
		b.Fatal(err)
	}
	key, err := state.ReadKey(file)
	if err != nil {
		b.Fatal(err)
	}
	const users = 20_000
	b.Run(strconv.Itoa(users), func(b *testing.B) {
		var first, change [2]time.Duration
		var size [2]int64
		for b.Loop() {
			for i, key := range []*state.Key{nil, key} {
				dir := b.TempDir()
				store, err := state.OpenWith(dir, state.Options{Key: key})
				if err != nil {
					b.Fatal(err)
				}
				w := newBenchWorkerOn(b, store, users)
				began := time.Now()
				w.cycle(b)
				first[i] += time.Since(began)
				for n := range 20 {
					w.source.pending = append(w.source.pending[:0], benchUser(7, n+1))
					began = time.Now()
					w.cycle(b)
					change[i] += time.Since(began)
				}
				w.close(b)
				files, _ := filepath.Glob(filepath.Join(dir, "*.db"))
				for _, file := range files {
					info, err := os.Stat(file)
					if err != nil {
						b.Fatal(err)
					}
					size[i] += info.Size()
				}
			}
		}
		b.ReportMetric(float64(first[1])/float64(first[0]), "first")
		b.ReportMetric(float64(change[1])/float64(change[0]), "change")
		b.ReportMetric(float64(size[1])/float64(size[0]), "size")
	})
}
