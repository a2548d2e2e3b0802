package file

import (
	"bytes"
	"encoding/json"
	"testing"

	"entrasync/target"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Values are written as encoding/json writes them, and what was written is known without reading it back.
func TestJSON(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.StringMatching(`[a-z "\\\\<>&]{0,8}`), rapid.String(), rapid.Just("\xff"), rapid.Just("\u2028\x7f\x00"))
	scalar := rapid.OneOf(rapid.Just[any](nil), rapid.Bool().AsAny(), text.AsAny(), rapid.Int64().AsAny(), rapid.Float64Range(-1e20, 1e20).AsAny(),
		rapid.Just[any](json.Number("12345678901234567890")), rapid.Just[any]([]any(nil)), rapid.Just[any](map[string]any(nil)))
	flat := rapid.OneOf(scalar, rapid.SliceOfN(scalar, 0, 3).AsAny(), rapid.MapOfN(text, scalar, 0, 3).AsAny())
	rapid.Check(t, func(rt *rapid.T) {
		attrs := rapid.MapOfN(text, rapid.OneOf(flat, rapid.SliceOfN(flat, 0, 3).AsAny(), rapid.MapOfN(text, flat, 0, 3).AsAny()), 0, 4).Draw(rt, "attributes")
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(attrs); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), string(appendJSON(nil, attrs))+"\n"); diff != "" {
			rt.Fatalf("written (-want +got):\n%s", diff)
		}
		ref := target.Ref{Kind: target.User, ID: rapid.SampledFrom([]string{"1", "\xff"}).Draw(rt, "id")}
		known, ok := decoded(ref, attrs)
		if !ok {
			return
		}
		read, err := target.DecodeJSON(encode(ref, attrs))
		if diff := cmp.Diff(read, any(known)); err != nil || diff != "" {
			rt.Fatalf("read back (-read +known):\n%s %v", diff, err)
		}
	})
	if _, ok := decoded(target.Ref{Kind: target.User, ID: "1"}, map[string]any{"userName": "ada", "active": true, "emails": []any{map[string]any{"value": "é"}}}); !ok {
		t.Error("what a usual account reads as is not known without reading it")
	}
}
