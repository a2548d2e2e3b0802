package webtest

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// The check finds what it is there for.
func TestAccessibilityCheck(t *testing.T) {
	t.Parallel()
	const frame = `<!doctype html><html lang="en"><head><title>t</title></head><body><header></header><nav aria-label="n"></nav><main><h1>t</h1>%s</main><footer></footer></body></html>`
	for fragment, want := range map[string]string{
		`<p>fine</p>`:                             "",
		`<input name="q">`:                        "input has no label",
		`<label for="q">Q</label><input id="q">`:  "",
		`<input type="hidden" name="x">`:          "",
		`<h3>x</h3>`:                              "h3 follows h1",
		`<h1>x</h1>`:                              "2 h1",
		`<p id="a"></p><p id="a"></p>`:            "id a is used twice",
		`<a href="/"></a>`:                        "a has no text",
		`<button><svg></svg></button>`:            "button has no text",
		`<a href="/"><svg role="img"></svg></a>`:  "svg has no label",
		`<table><tr><th>x</th></tr></table>`:      "table has no caption",
		`<section aria-labelledby="x"></section>`: "aria-labelledby names x",
		`<div tabindex="0"></div>`:                "div takes the focus and has no role and label",
		`<section aria-labelledby="x"><h2 id="x">x</h2><div role="region" aria-labelledby="x"></div></section>`: "two landmarks are called x",
		`<nav></nav>`:                "nav has no label",
		`<p style="color:red">x</p>`: "p has a style of its own",
	} {
		document, err := html.Parse(strings.NewReader(fmt.Sprintf(frame, fragment)))
		if err != nil {
			t.Fatal(err)
		}
		faults := AccessFaults(document)
		if want == "" && len(faults) > 0 || want != "" && !strings.Contains(strings.Join(faults, "\n"), want) {
			t.Errorf("%s: %q, want %q", fragment, faults, want)
		}
	}
}
