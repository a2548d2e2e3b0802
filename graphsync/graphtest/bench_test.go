package graphtest_test

import (
	"testing"

	"entrasync/graphsync/graphtest"
)

func BenchmarkPopulate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		tenant := graphtest.New(graphtest.Options{}).AddTenant(graphtest.TenantSpec{})
		tenant.Populate(graphtest.GenerateOptions{Users: 100_000})
	}
}
