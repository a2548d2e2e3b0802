package sealed_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"pgregory.net/rapid"

	"entrasync/state/sealed"
)

// A stream comes out as it was written, at any length; cut off, changed or with another key it does not.
func TestStream(t *testing.T) {
	t.Parallel()
	k := key(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(0, 200_000), rapid.SampledFrom([]int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10})).Draw(t, "size")
		text := bytes.Repeat([]byte("entrasync "), size/10+1)[:size]
		var out bytes.Buffer
		w, err := sealed.NewWriter(&out, k)
		if err != nil {
			t.Fatal(err)
		}
		for rest := text; len(rest) > 0; {
			n := min(len(rest), rapid.IntRange(1, 100_000).Draw(t, "written"))
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		read := func(stream []byte, keys ...*sealed.Key) ([]byte, error) {
			r, err := sealed.NewReader(bytes.NewReader(stream), keys)
			if err != nil {
				return nil, err
			}
			return io.ReadAll(r)
		}
		if got, err := read(out.Bytes(), key(t, 2), k); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%d of %d bytes, %v", len(got), size, err)
		}
		if size >= 10 && bytes.Contains(out.Bytes(), []byte("entrasync entra")) {
			t.Fatal("the text is in it")
		}
		var other *sealed.StreamKeyError
		if _, err := read(out.Bytes(), key(t, 2)); !errors.As(err, &other) || other.Has != k.ID() {
			t.Fatalf("with another key: %v", err)
		}
		const header = 25 + 4 + 32
		cut := rapid.IntRange(header, out.Len()-1).Draw(t, "cut")
		if got, err := read(out.Bytes()[:cut], k); err == nil {
			t.Fatalf("cut off at %d of %d, %d bytes are read", cut, out.Len(), len(got))
		}
		changed := bytes.Clone(out.Bytes())
		changed[rapid.IntRange(25+4, out.Len()-1).Draw(t, "changed")] ^= 4
		if _, err := read(changed, k); err == nil {
			t.Fatal("it was changed, and is read")
		}
	})
	if r, err := sealed.NewReader(bytes.NewReader([]byte("plain")), nil); err != nil {
		t.Error(err)
	} else if got, err := io.ReadAll(r); err != nil || string(got) != "plain" {
		t.Errorf("%q, %v", got, err)
	}
}
