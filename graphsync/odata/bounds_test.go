package odata_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"entrasync/graphsync"
	"entrasync/graphsync/odata"
)

// A page costs a small multiple of its size, whatever is in it. Not parallel: it measures what is
// allocated.
func TestAPageCannotExhaustMemory(t *testing.T) {
	const size = 8 << 20
	fill := func(before, piece, after string) []byte {
		return []byte(before + strings.Repeat(piece, size/len(piece)) + after)
	}
	var names strings.Builder
	for n := 0; names.Len() < size; n++ {
		fmt.Fprintf(&names, `"a%d":1,`, n)
	}
	const id, end = `"id":"00000000-0000-4000-8000-0000000000a1"`, `],"@odata.deltaLink":"d"}`
	for name, body := range map[string][]byte{
		"empty objects":        fill(`{"value":[{}`, `,{}`, end),
		"numbers":              fill(`{"value":[1`, `,1`, end),
		"members":              fill(`{"value":[{`+id+`,"members@delta":[{}`, `,{}`, `]}`+end),
		"members of no object": fill(`{"value":[{`+id+`,"members@delta":[1`, `,1`, `]}`+end),
		"one property, often":  fill(`{"value":[{`+id, `,"a":1`, `}`+end),
		"many properties":      []byte(`{"value":[{` + names.String() + id + `}` + end),
		"a deep value":         fill(`{"value":[{`+id+`,"a":`, `[`, `1`+strings.Repeat("]", size)+`}`+end),
		"a list as a value":    fill(`{"value":[{`+id+`,"a":[1`, `,1`, `]}`+end),
	} {
		read := map[string]func() error{
			"page": func() error { _, err := odata.DecodePage(graphsync.Group, []string{"id"}, body); return err },
			"list": func() error {
				_, err := odata.DecodeList(body, func(dec *jsontext.Decoder) error { _, _, _, err := odata.ReadMember(dec); return err })
				return err
			},
			"object": func() error {
				var into struct {
					Value []struct{ A, B, C, D string } `json:"value"`
				}
				return odata.DecodeObject(body, &into)
			},
		}
		for kind, read := range read {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := read()
			runtime.ReadMemStats(&after)
			if cost := after.TotalAlloc - before.TotalAlloc; cost > 6*size*poolLoss {
				t.Errorf("%s as a %s: %d MiB for a body of %d MiB (%.80v)", name, kind, cost>>20, len(body)>>20, err)
			}
			if e := (*graphsync.Error)(nil); err != nil && (!errors.As(err, &e) || e.Class != graphsync.BadResponse) {
				t.Errorf("%s as a %s: %v", name, kind, err)
			}
		}
	}
}
