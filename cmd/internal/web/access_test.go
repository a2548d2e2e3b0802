package web_test

import (
	"strings"
	"testing"

	"entrasync/cmd/internal/webtest"

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
		"/people", "/people?q=contoso.example", "/people?q=Ada", "/people?q=no-such-user", "/tenants", "/nowhere",
	} {
		document, err := html.Parse(strings.NewReader(b.get(path).Body.String()))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range webtest.AccessFaults(document) {
			t.Errorf("GET %s: %s", path, fault)
		}
	}
}
