// Package webtest is what the tests of pages share: golden files, and the faults that keep a page from being used without
// seeing it. Only tests import it.
package webtest

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// AccessFaults names what assistive technology lacks in a page.
func AccessFaults(document *html.Node) (faults []string) {
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
