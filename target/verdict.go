package target

import (
	"html"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// A Verdict is what an application shows of a value that was written.
type Verdict int

// The verdicts.
const (
	AsWritten Verdict = iota // needs no write
	Respelled                // the same text in a spelling of the application's own, or without some sub-attributes
	Hidden                   // nothing is shown: whether it was taken cannot be told
	Other                    // something else is shown
)

// Judge compares what an application shows with what was written there. A text that differs by
// white space, Unicode normalization, escapes of HTML or case only is respelled, and so is one
// that was cut at the end. An element of a list that lost sub-attributes other than its value is too.
func (p Path) Judge(written, shown any) Verdict {
	switch {
	case p.Same(written, shown):
		return AsWritten
	case blank(shown):
		return Hidden
	case !blank(written) && p.ref.alike(written, shown):
		return Respelled
	}
	return Other
}

// alike is same for values in an application's own spelling.
func (r reference) alike(written, shown any) bool {
	switch w := written.(type) {
	case []any:
		return r.alikeList(w, asList(shown))
	case map[string]any:
		return r.alikeComplex(w, shown)
	case string:
		switch s := shown.(type) {
		case string:
			return r.same(w, s) || alikeText(w, s)
		case []any:
			return len(s) == 1 && r.alike(w, s[0])
		case map[string]any:
			return r.alike(w, lookup(s, "value"))
		}
	}
	return r.same(written, shown)
}

func (r reference) alikeList(written, shown []any) bool {
	if len(written) != len(shown) {
		return false
	}
	used := make([]bool, len(shown))
next:
	for _, w := range written {
		for i, s := range shown {
			if !used[i] && r.alike(w, s) {
				used[i] = true
				continue next
			}
		}
		return false
	}
	return true
}

// alikeComplex tolerates sub-attributes that are not shown, but for the value itself.
func (r reference) alikeComplex(written map[string]any, shown any) bool {
	if list, ok := shown.([]any); ok && len(list) == 1 {
		shown = list[0]
	}
	complex, ok := shown.(map[string]any)
	if !ok {
		complex = map[string]any{"value": shown}
	}
	seen := false
	for name, w := range written {
		s := lookup(complex, name)
		if blank(s) && !strings.EqualFold(name, "value") {
			continue
		}
		if !(reference{schema: r.schema, name: r.name, sub: name}).alike(w, s) {
			return false
		}
		seen = true
	}
	return seen
}

// shortestCut is how long the rest of a text must be to be taken for the text cut at the end.
const shortestCut = 20

func alikeText(written, shown string) bool {
	w, s := plain(written), plain(shown)
	return w == s || len(s) >= shortestCut && strings.HasPrefix(w, s)
}

// plain brings a text into one spelling: escapes of HTML resolved, composed (NFKC), in one case,
// runs of white space as one space, without control and format characters.
func plain(text string) string {
	text = norm.NFKC.String(html.UnescapeString(html.UnescapeString(text)))
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.C, r):
			return -1
		}
		return r
	}, text)
	return strings.ToLower(strings.Join(strings.Fields(text), " "))
}
