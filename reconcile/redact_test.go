package reconcile_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/state"
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
		c.source.person(n+1, name, "User")
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

// An echoing application refuses what it is sent and repeats it, as some do.
type echoing struct {
	*application
	refuse string // an operation
}

func (e *echoing) refusal(op string, attributes []target.Attribute) error {
	if op != e.refuse {
		return nil
	}
	var said []string
	for _, a := range attributes {
		said = append(said, fmt.Sprintf("%s=%v", a.Path, a.Value))
	}
	return &target.Error{Code: target.Rejected, Op: op, Message: "the application refuses it", Detail: strings.Join(said, " ") + " belongs to planted-value"}
}

func (e *echoing) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	if err := e.refusal("create", attributes); err != nil {
		return nil, err
	}
	return e.application.Create(ctx, kind, attributes)
}

func (e *echoing) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	if err := e.refusal("update", attributes); err != nil {
		return nil, err
	}
	return e.application.Update(ctx, ref, attributes)
}

func (e *echoing) Find(ctx context.Context, kind target.Kind, by target.Path, value string) ([]target.Resource, error) {
	if err := e.refusal("find", []target.Attribute{{Path: by, Value: value}}); err != nil {
		return nil, err
	}
	return e.application.Find(ctx, kind, by, value)
}

// A target that repeats the value of a redacted attribute when it refuses a record, or names it when it
// refuses something else, has it shown nowhere.
func TestRedactedValuesInATargetsWordsAreBlanked(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"create", "update", "find"} {
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
		c.change = func(s *reconcile.Sync) {
			s.Users.Mapping = m
			if op == "find" {
				s.Users.Match = []string{"nickName"}
			}
		}
		app := &echoing{s.app(), op}
		if op == "update" {
			app.seed("ada@example.com")
		}
		s.apps["https://one"] = app
		c.source.person(1, "ada@example.com", "planted-value")
		report, err := c.run(reconcile.Options{Apply: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Errors) != 1 || strings.Contains(report.Errors[0].Message, "planted") || !strings.Contains(report.Errors[0].Message, "[hidden]") {
			t.Errorf("%s: %+v", op, report.Errors)
		}
		tenant, err := s.store.Tenant(c.id)
		if err != nil {
			t.Fatal(err)
		}
		defer tenant.Close()
		err = tenant.View(func(tx *state.Tx) error {
			for retry := range tx.Retries("people").All() {
				if strings.Contains(retry.Message, "planted") {
					t.Errorf("%s: the retry says %s", op, retry.Message)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
