package reconcile_test

import (
	"context"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// An encounter is an application in which something happens at the moment of a request that makes an
// account.
type encounter struct {
	*application
	before func() // the request is carried out
	after  func() // it was carried out, and not answered yet
	lost   bool   // the answer is lost
}

func (e *encounter) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	if before := e.before; before != nil {
		e.before = nil
		before()
	}
	r, err := e.application.Create(ctx, kind, attributes)
	if after := e.after; after != nil {
		e.after = nil
		after()
	}
	if e.lost && err == nil {
		e.lost = false
		return nil, &target.Error{Code: target.Unavailable, Op: "create user", Message: "no answer", Indeterminate: true}
	}
	return r, err
}

func (s *service) meets() *encounter {
	e := &encounter{application: s.app()}
	s.apps[s.places[s.to]] = e
	return e
}

func identified(s *reconcile.Sync) {
	mapped(s, []string{"externalId", "userName"}, mapping.Spec{Path: "externalId", Expr: "[objectId]"}, mapping.Spec{Path: "userName", Expr: "ToLower([userPrincipalName])"})
}

// failed makes a cycle in which one record fails.
func (c *customer) failed(word string) {
	c.t.Helper()
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil || len(report.Errors) != 1 || !strings.Contains(report.Errors[0].Message, word) || report.Summary.Adopt+report.Summary.Create > 0 {
		c.t.Errorf("%s: %v, errors %v, %+v; want one with %q", c.name, err, report.Errors, report.Summary, word)
	}
}

// An account that a create meets was in no plan: it is left alone, and the next plan decides about it
// like about any other.
func TestConflictIsPlannedFirst(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		account attributes
		domains []string
		next    string
	}{
		"unowned":                {attributes{"userName": "ada@contoso.example", "displayName": "there"}, nil, "1 adopted"},
		"of another user":        {attributes{"userName": "ada@contoso.example", "externalId": "eve"}, nil, "held by adoption: adopt ada@contoso.example"},
		"of another's domain":    {attributes{"userName": "ada@contoso.example", "emails": "eve@fabrikam.example"}, []string{"contoso.example"}, "held by foreign_domain: adopt ada@contoso.example"},
		"of the tenant's domain": {attributes{"userName": "ada@contoso.example"}, []string{"contoso.example"}, "1 adopted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			contoso := s.customer("contoso")
			contoso.change = func(s *reconcile.Sync) { identified(s); s.Guard.Domains = tt.domains }
			contoso.source.person(1, "ada@contoso.example", "Ada")
			app := s.meets()
			app.before = func() { app.account(tt.account) }
			contoso.failed("the next cycle plans whether it is adopted")
			if n := app.asked["update"]; n > 0 {
				t.Errorf("%d writes to an account that no plan has", n)
			}
			want(t, "next cycle", contoso.cycle(), tt.next)
		})
	}
}

// Between the request of one tenant and its claim on what it made, no other takes the account.
func TestAccountThatIsBeingMade(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"in that moment": false, "and the answer is lost": true, "and the process ends": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			contoso, fabrikam := s.customer("contoso"), s.customer("fabrikam")
			contoso.source.person(1, "ada@example.com", "Ada of contoso")
			fabrikam.source.person(2, "ada@example.com", "Ada of fabrikam")
			app := s.meets()
			taken := "skipped ada@example.com: duplicate_target"
			app.lost = lost
			app.after = func() { want(t, "fabrikam", fabrikam.cycle(), taken) }
			if !lost {
				want(t, "contoso", contoso.cycle(), "1 created")
			} else {
				contoso.failed("no answer")
				if name == "and the process ends" {
					s.restart(func() error { return nil })
				}
				want(t, "fabrikam", fabrikam.cycle(), taken)
				want(t, "contoso", contoso.cycle(), "1 updated")
			}
			want(t, "fabrikam", fabrikam.cycle(), taken)
			want(t, "accounts", app.String(), "ada=Ada of contoso")
		})
	}
}

// A create that fails leaves nothing behind: the account that is there is free for any user who matches.
func TestCreationEnds(t *testing.T) {
	t.Parallel()
	s := newService(t)
	contoso, fabrikam := s.customer("contoso"), s.customer("fabrikam")
	contoso.source.person(1, "ada@example.com", "Ada of contoso")
	app := s.meets()
	app.before = func() {
		app.account(attributes{"userName": "ada@example.com"})
		app.down = func(method string) bool { return method == "find" }
	}
	contoso.failed("taken")
	app.down = nil
	fabrikam.source.person(2, "ada@example.com", "Ada of fabrikam")
	want(t, "fabrikam", fabrikam.cycle(), "1 adopted")
}

// A creation without an answer ends when it was looked for in vain and is not tried again.
func TestLostCreationEnds(t *testing.T) {
	t.Parallel()
	s := newService(t)
	contoso, fabrikam := s.customer("contoso"), s.customer("fabrikam")
	contoso.source.person(1, "ada@example.com", "Ada of contoso")
	lost := *errDown
	lost.Indeterminate = true
	g := s.behindGateway()
	g.before = func(method, _ string) error {
		if method == "create" {
			return &lost
		}
		return nil
	}
	contoso.failed("no answer")
	g.before = nil
	contoso.source.gone("ada@example.com", graphsync.SoftDeleted)
	want(t, "contoso", contoso.cycle(), "")
	s.app().account(attributes{"userName": "ada@example.com"})
	fabrikam.source.person(2, "ada@example.com", "Ada of fabrikam")
	want(t, "fabrikam", fabrikam.cycle(), "1 adopted")
}

// What a lost answer made is taken up at once where the account says whose it is; another account
// with the same name is not.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	s := newService(t)
	contoso := s.customer("contoso")
	contoso.change = identified
	contoso.source.person(1, "ada@contoso.example", "Ada")
	app := s.meets()
	app.lost = true
	want(t, "its own", contoso.cycle(), "1 created")

	contoso.source.person(2, "bob@contoso.example", "Bob")
	app.lost = true
	app.after = func() {
		app.accounts["2"] = attributes{"userName": "bob@contoso.example", "active": true, "title": "made by hand"}
	}
	contoso.failed("no answer")
	if n := app.asked["update"]; n > 0 {
		t.Errorf("%d writes", n)
	}
}
