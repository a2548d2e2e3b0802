package consentweb_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"entrasync/graphsync"
)

// now is when the pages are looked at where the time matters.
var now = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

func id(n int) graphsync.ID {
	id, err := graphsync.ParseID(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
	if err != nil {
		panic(err)
	}
	return id
}
func encode(tb testing.TB, v any) []byte {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}
