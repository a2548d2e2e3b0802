package snapshot

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// counterOf counts names by their beginning, and how often it was asked.
func counterOf(names []string, asked *atomic.Int64) userCounter {
	return func(_ context.Context, prefix string) (n int, err error) {
		asked.Add(1)
		for _, name := range names {
			if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
				n++
			}
		}
		return n, nil
	}
}

// Each user is in one part, no part is longer than its share where the names allow it, and the requests that
// count are bounded.
func TestDivide(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		local := rapid.StringMatching(`[a-cA-C0-1._#'-]{1,6}`)
		if rapid.Bool().Draw(t, "alike") {
			local = rapid.Map(rapid.IntRange(0, 9999), func(n int) string { return fmt.Sprintf("user%04d", n) })
		}
		beginnings := rapid.SliceOfN(local, 1, 40).Draw(t, "names")
		each := rapid.IntRange(1, 200).Draw(t, "each")
		var names []string
		for i, name := range beginnings {
			for j := range each {
				names = append(names, fmt.Sprintf("%s%d.%d@contoso.example", name, i, j))
			}
		}
		var asked atomic.Int64
		parts, err := divide(context.Background(), len(names), counterOf(names, &asked))
		if err != nil || len(parts) == 0 {
			t.Fatalf("%d names are not divided: %v", len(names), err)
		}
		for _, name := range names {
			in := 0
			for _, part := range parts {
				if strings.HasPrefix(strings.ToLower(name), part.Prefix) {
					in++
				}
			}
			if in != 1 {
				t.Fatalf("%s is in %d of %v", name, in, parts)
			}
		}
		for i, part := range parts {
			if part.Count > max(smallPart, len(names)/listsAtOnce) {
				t.Fatalf("a part of %d users of %d: %v", part.Count, len(names), parts)
			}
			if i > 0 && part.Count > parts[i-1].Count {
				t.Fatalf("the largest part is not the first: %v", parts)
			}
		}
		if asked.Load() > countLimit {
			t.Fatalf("counted %d times", asked.Load())
		}
	})
}

// Users whose names begin with something else than is documented would be in no list.
func TestDivideFindsUsersThatNoListWouldShow(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	names := []string{"ada@contoso.example", "бob@contoso.example"}
	if parts, err := divide(t.Context(), len(names), counterOf(names, &asked)); err != nil || parts != nil {
		t.Errorf("divided into %v: %v", parts, err)
	}
}

// A part that cannot be divided stays whole.
func TestDivideKeepsAPartWhole(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 4 * smallPart {
		names = append(names, fmt.Sprintf("a%cx%d@contoso.example", "bé"[i%2], i))
	}
	var asked atomic.Int64
	parts, err := divide(t.Context(), len(names), counterOf(names, &asked))
	if err != nil || len(parts) != 1 || parts[0].Prefix != "a" || parts[0].Done {
		t.Errorf("divided into %v: %v", parts, err)
	}
}
