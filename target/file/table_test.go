package file

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A table that spills often finds what a map does, the newest first.
func TestTable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		table, want := newTable(dir, rapid.IntRange(1, 4).Draw(rt, "in memory")), map[uint64][]uint64{}
		defer table.close()
		key := rapid.Custom(func(rt *rapid.T) uint64 { return mix(rapid.Uint64Range(0, 60).Draw(rt, "key")) })
		n := rapid.IntRange(0, 400).Draw(rt, "records")
		for i := range n {
			k := key.Draw(rt, "key")
			if err := table.add(k, uint64(i)); err != nil {
				rt.Fatal(err)
			}
			want[k] = append([]uint64{uint64(i)}, want[k]...)
		}
		for i := range uint64(70) {
			got, err := table.find(mix(i))
			if diff := cmp.Diff(want[mix(i)], got); err != nil || diff != "" {
				rt.Fatalf("key %d (-want +got):\n%s %v", i, diff, err)
			}
		}
		var all []record
		if err := table.each(func(one record) error { all = append(all, one); return nil }); err != nil {
			rt.Fatal(err)
		}
		for i := 1; i < len(all); i++ {
			if a, b := all[i-1], all[i]; a.key > b.key || a.key == b.key && a.value < b.value {
				rt.Fatalf("record %v is before %v", a, b)
			}
		}
		if len(all) != n || table.count() != n {
			rt.Fatalf("%d records and a count of %d, want %d", len(all), table.count(), n)
		}
	})
}

// A filter never denies what it has, and seldom claims what it does not have.
func TestFilter(t *testing.T) {
	t.Parallel()
	const n = 10_000
	f := newFilter(n)
	for i := range uint64(n) {
		f.add(mix(i))
	}
	wrong := 0
	for i := range uint64(n) {
		if !f.may(mix(i)) {
			t.Fatalf("key %d is denied", i)
		}
		if f.may(mix(i + n)) {
			wrong++
		}
	}
	if wrong > n/50 {
		t.Errorf("%d of %d keys are claimed wrongly", wrong, n)
	}
}
