package targettest_test

import (
	"testing"

	"entrasync/target/file"
	"entrasync/target/targettest"
)

// The test of an adapter is one call: the harness makes a fresh, empty application for each rule. A rule about an
// ability that the adapter does not offer passes and says so with -v.
func ExampleRun() {
	test := func(t *testing.T) {
		targettest.Run(t, targettest.Harness{New: func(tb testing.TB) targettest.App {
			adapter, err := file.New(file.Config{Path: tb.TempDir() + "/accounts.jsonl"})
			if err != nil {
				tb.Fatal(err)
			}
			return targettest.App{Adapter: adapter}
		}})
	}
	_ = test // go test calls it
}
