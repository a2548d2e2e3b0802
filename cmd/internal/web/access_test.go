package web_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Every page can be used without seeing it: what assistive technology needs is there. What
// the structure does not show, such as contrast, TestAxe looks at.
func TestAccessibility(t *testing.T) {
	t.Parallel()
	b := canned(t)
	run := "/syncs/front/contoso/runs/20261122T091200.000Z"
	for _, path := range []string{
		"/", "/?q=nothing", "/syncs/front/contoso", "/syncs/archive/tailspin", run, run + "?show=actions", run + "?show=skipped",
		"/syncs/front/fabrikam/runs/20261122T090900.000Z", "/holds", "/holds?answered=rejected&sync=front&tenant=contoso", "/holds/front/contoso/h-1",
		"/people", "/people?q=contoso.example", "/people?q=Ada", "/people?q=nobody", "/tenants", "/nowhere",
	} {
		document, err := html.Parse(strings.NewReader(b.get(path).Body.String()))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range accessFaults(document) {
			t.Errorf("GET %s: %s", path, fault)
		}
	}
}

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
		faults := accessFaults(document)
		if want == "" && len(faults) > 0 || want != "" && !strings.Contains(strings.Join(faults, "\n"), want) {
			t.Errorf("%s: %q, want %q", fragment, faults, want)
		}
	}
}

func accessFaults(document *html.Node) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	count, ids, labelled, landmarks := map[string]int{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	level := 0
	for n := range document.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		count[n.Data]++
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				fault("id %s is used twice", id)
			}
			ids[id] = true
		}
		if n.Data == "label" {
			labelled[attr(n, "for")] = true
		}
	}
	for n := range document.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		named := attr(n, "aria-label") != "" || attr(n, "aria-labelledby") != ""
		if by := attr(n, "aria-labelledby"); by != "" && !ids[by] {
			fault("aria-labelledby names %s, which is not there", by)
		}
		if attr(n, "style") != "" {
			fault("%s has a style of its own, which the policy does not apply", n.Data)
		}
		if attr(n, "tabindex") == "0" && (attr(n, "role") == "" || !named) {
			fault("%s takes the focus and has no role and label", n.Data)
		}
		if by := attr(n, "aria-labelledby"); by != "" && (n.Data == "section" || attr(n, "role") == "region") {
			if landmarks[by] {
				fault("two landmarks are called %s", by)
			}
			landmarks[by] = true
		}
		switch n.Data {
		case "html":
			if attr(n, "lang") == "" {
				fault("html has no lang")
			}
		case "title", "a", "button", "h1", "h2", "h3", "th", "label", "dt", "caption":
			if strings.TrimSpace(text(n)) == "" && !named {
				fault("%s has no text", n.Data)
			}
		case "input", "select", "textarea":
			if attr(n, "type") != "hidden" && !labelled[attr(n, "id")] && !named {
				fault("%s has no label", n.Data)
			}
		case "svg":
			if attr(n, "aria-hidden") != "true" && (attr(n, "role") != "img" || !named) {
				fault("svg has no label and is not hidden")
			}
		case "img":
			if !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "alt" }) {
				fault("img has no alt")
			}
		case "table":
			if !slices.ContainsFunc(slices.Collect(n.ChildNodes()), func(c *html.Node) bool { return c.Data == "caption" }) {
				fault("table has no caption")
			}
		case "nav":
			if !named {
				fault("nav has no label")
			}
		}
		if n.Data == "th" && attr(n, "scope") == "" {
			fault("th has no scope")
		}
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
			next := int(n.Data[1] - '0')
			if next > level+1 {
				fault("h%d follows h%d", next, level)
			}
			level = next
		}
	}
	for _, name := range []string{"title", "h1", "main", "header", "footer"} {
		if count[name] != 1 {
			fault("%d %s, want one", count[name], name)
		}
	}
	return faults
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var all strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			all.WriteString(d.Data)
		}
	}
	return all.String()
}
