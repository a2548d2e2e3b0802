package paging_test

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"entrasync/graphsync/paging"
)

// requests reads pages until the list ends or is left; it returns how many.
func requests(limits paging.Limits, page func(n int) (entries int, content, next string)) (n int, err error) {
	d := paging.New(limits)
	for {
		entries, content, next := page(n)
		n++
		if err := d.Page(entries, []byte(content), next); err != nil || next == "" {
			return n, err
		}
	}
}

func TestEveryKindOfLoopEnds(t *testing.T) {
	t.Parallel()
	limits := paging.Limits{Pages: 100, Empty: 10, Same: 2}
	for name, test := range map[string]struct {
		page func(n int) (int, string, string)
		most int
	}{
		"a link to itself":           {func(n int) (int, string, string) { return 1, fmt.Sprint(n), "a" }, 3},
		"a circle of three":          {func(n int) (int, string, string) { return 1, fmt.Sprint(n), fmt.Sprint("to ", n%3) }, 9},
		"the same page, other links": {func(n int) (int, string, string) { return 1, "x", fmt.Sprint("to ", n) }, 3},
		"two pages in turn":          {func(n int) (int, string, string) { return 1, fmt.Sprint(n % 2), fmt.Sprint("to ", n) }, 5},
		"empty pages":                {func(n int) (int, string, string) { return 0, "", fmt.Sprint("to ", n) }, 10},
		"ever new pages":             {func(n int) (int, string, string) { return 1, fmt.Sprint(n), fmt.Sprint("to ", n) }, 100},
		"mostly empty":               {func(n int) (int, string, string) { return n % 5 / 4, fmt.Sprint(n), fmt.Sprint("to ", n) }, 100},
	} {
		n, err := requests(limits, test.page)
		if endless := (*paging.LoopError)(nil); !errors.As(err, &endless) || n > test.most {
			t.Errorf("%s: %v after %d requests, want an error after %d", name, err, n, test.most)
		}
	}
}

// A list that ends is read to its end, with a page sent twice and empty pages in between.
func TestListsThatEndAreRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"full", "again", "empty"}), 1, 60).Draw(t, "pages")
		n, err := requests(paging.Limits{Pages: 61, Empty: 61, Same: 60}, func(n int) (entries int, content, next string) {
			if n+1 < len(kinds) {
				next = fmt.Sprint("to ", n)
			}
			switch kinds[n] {
			case "again":
				return 1, "again", next
			case "empty":
				return 0, "", next
			}
			return 1, fmt.Sprint(n), next
		})
		if err != nil || n != len(kinds) {
			t.Fatalf("%d of %d pages: %v", n, len(kinds), err)
		}
	})
}
