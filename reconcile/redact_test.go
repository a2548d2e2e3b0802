package reconcile_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// A watched application calls back after each page of a list.
type watched struct {
	*application
	page func()
}

func (w *watched) List(ctx context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	return w.application.List(ctx, kind, func(page []target.Resource) error {
		err := yield(page)
		w.page()
		return err
	})
}

// What an application shows of a redacted attribute is not kept, not even while accounts are looked
// for in a list; and when accounts are compared it is left out.
func TestShownValuesAreNotKept(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.customer("contoso")
	m, faults := mapping.New(target.User, []mapping.Spec{
		{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
		{Path: "active", Expr: "Not([IsSoftDeleted])"},
		{Path: "nickName", Expr: "[displayName]", Redact: true},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	c.change = func(s *reconcile.Sync) { s.Users.Mapping = m }
	const planted = "planted-value"
	app := s.app()
	id := ""
	for n := range 60 {
		name := fmt.Sprintf("user%d@example.com", n)
		c.source.person(n+1, name, "Somebody")
		id = app.seed(name)
		app.accounts[id]["nickName"] = planted
	}
	pages := 0
	s.apps["https://one"] = &watched{app, func() { pages++; s.holdsNot(planted, "user59@example.com") }}
	want(t, "the first cycle", c.cycle(), "60 adopted")
	if pages == 0 {
		t.Error("nothing was listed")
	}
	app.accounts[id]["nickName"] = planted
	want(t, "a full cycle", c.must(reconcile.Options{Apply: true, Full: true}), "60 unchanged")
	s.holdsNot(planted, "user59@example.com")
}

// holdsNot looks for a text in the files of the state, in which something else must be.
func (s *service) holdsNot(planted, something string) {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "*.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	found := false
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		if bytes.Contains(text, []byte(planted)) {
			s.t.Errorf("%s holds %s", filepath.Base(file), planted)
		}
		found = found || bytes.Contains(text, []byte(something))
	}
	if !found {
		s.t.Errorf("%s is in none of %v", something, files)
	}
}
