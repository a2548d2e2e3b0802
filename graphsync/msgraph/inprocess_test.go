package msgraph_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"

	gocmp "github.com/google/go-cmp/cmp"
)

// What the emulator's source in process returns is what this package's returns, since tests of reconcile rely on
// either.
func TestSourceInProcessReadsTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{PageSize: 17, ListPageSize: 20, MembersPageSize: 9}, graphtest.AppSpec{Roles: graphtest.DefaultRoles()})
	w.tenant.Populate(graphtest.GenerateOptions{Users: 120, App: w.app.ClientID})
	people := w.tenant.Snapshot().Users
	w.tenant.SetManager(people[0].ID, people[1].ID)
	w.tenant.SoftDelete(people[2].ID, people[3].ID)
	w.tenant.Purge(people[3].ID)
	gone := []graphsync.ID{people[2].ID, people[3].ID}
	over, within := everything(t, w, gone, w.open(t)), everything(t, w, gone, w.server.Source(w.tenant.ID(), w.app.ClientID, w.app.Secret))
	if len(over.Users) < 100 || len(over.Groups) == 0 || len(over.Assignments) < 20 || len(over.Members) == 0 {
		t.Fatalf("too little was read to compare: %d users, %d groups, %d assignments, %d members", len(over.Users), len(over.Groups), len(over.Assignments), len(over.Members))
	}
	if diff := gocmp.Diff(over, within); diff != "" {
		t.Errorf("over HTTP (-), in process (+):\n%s", diff)
	}
}

// So are refusals, as far as what reads distinguishes them.
func TestSourceInProcessRefusesTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{})
	over, within := w.open(t), w.server.Source(w.tenant.ID(), w.app.ClientID, w.app.Secret)
	for name, read := range map[string]func(context.Context, graphsync.Source) error{
		"a delta link that Graph does not know": func(ctx context.Context, s graphsync.Source) error {
			_, err := s.DeltaPage(ctx, graphsync.Users, userProperties, w.server.URL()+"/v1.0/users/delta?$deltatoken=unknown")
			return err
		},
		"an app without an enterprise application": func(ctx context.Context, s graphsync.Source) error {
			_, err := s.App(ctx, "99999999-8888-7777-6666-555555555555")
			return err
		},
		"members of a group that does not exist": func(ctx context.Context, s graphsync.Source) error {
			_, err := s.Members(ctx, tenantID, func([]graphsync.MemberChange) error { return nil })
			return err
		},
	} {
		a, b := read(t.Context(), over), read(t.Context(), within)
		var x, y *graphsync.Error
		if !errors.As(a, &x) || !errors.As(b, &y) || x.Class != y.Class || x.Status != y.Status || x.Code != y.Code ||
			errors.Is(a, graphsync.ErrResync) != errors.Is(b, graphsync.ErrResync) {
			t.Errorf("%s: %v over HTTP, %v in process", name, a, b)
		}
	}

	// A fault reaches both.
	end := w.server.Fault(graphtest.GraphFailure(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.").On("/v1.0/organization").Always())
	defer end()
	for _, s := range []graphsync.Source{over, within} {
		e := (*graphsync.Error)(nil)
		if _, err := s.Organization(t.Context()); !errors.As(err, &e) || e.Class != graphsync.PermissionMissing {
			t.Errorf("%T: a refusal of the organization is %v", s, err)
		}
	}
}

// A reading is what a source returns about a tenant, links apart.
type reading struct {
	Users, Groups, Listed, Later []graphsync.Change
	Assignments                  []graphsync.Assignment
	List                         graphsync.AssignmentList
	Members                      []graphsync.MemberChange
	App                          *graphsync.App
	Organization                 graphsync.Organization
	Object, Missing              *graphsync.Change
	Kinds                        []graphsync.Kind
	Presence, Rows               []graphsync.Presence
	Permissions                  []string
	Counted                      int
}

type lister interface {
	graphsync.Source
	graphsync.Lister
}

func everything(t *testing.T, w *world, gone []graphsync.ID, s lister) (r reading) {
	t.Helper()
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%T: %v", s, err)
		}
	}
	pages := func(next func(link string) (*graphsync.Page, error)) (changes []graphsync.Change, delta string) {
		for link := ""; ; link = delta {
			page, err := next(link)
			ok(err)
			changes = append(changes, page.Changes...)
			if delta = page.Next; delta == "" {
				return changes, page.Delta
			}
		}
	}
	properties := []string{"id", "displayName", "userPrincipalName", "department", "manager"}
	var err error
	r.Users, _ = pages(func(link string) (*graphsync.Page, error) {
		return s.DeltaPage(ctx, graphsync.Users, properties, link)
	})
	r.Groups, _ = pages(func(link string) (*graphsync.Page, error) {
		return s.DeltaPage(ctx, graphsync.Groups, []string{"id", "displayName", "members"}, link)
	})
	r.Listed, _ = pages(func(link string) (*graphsync.Page, error) {
		return s.ListUsers(ctx, properties[:4], "a", link)
	})
	r.Counted, err = s.CountUsers(ctx, "a")
	ok(err)
	now, err := s.Latest(ctx, graphsync.Users, properties)
	ok(err)
	page, err := s.DeltaPage(ctx, graphsync.Users, properties, now)
	ok(err)
	r.Later = page.Changes

	r.App, err = s.App(ctx, w.app.ClientID)
	ok(err)
	r.List, err = s.Assignments(ctx, r.App.ID, func(rows []graphsync.Assignment) error {
		r.Assignments = append(r.Assignments, rows...)
		return nil
	})
	ok(err)
	r.Rows, err = s.AssignmentPresence(ctx, r.App.ID, []string{r.Assignments[0].ID, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
	ok(err)
	for _, g := range w.tenant.Snapshot().Groups {
		_, err = s.Members(ctx, g.ID, func(page []graphsync.MemberChange) error {
			r.Members = append(r.Members, page...)
			return nil
		})
		ok(err)
	}
	r.Organization, err = s.Organization(ctx)
	ok(err)
	r.Permissions, err = s.Permissions(ctx)
	ok(err)

	users := w.tenant.Snapshot().Users
	r.Object, err = s.Object(ctx, graphsync.User, users[0].ID, properties)
	ok(err)
	r.Missing, err = s.Object(ctx, graphsync.Group, tenantID, []string{"displayName"})
	ok(err)
	ids := append(gone[:2:2], users[0].ID, w.tenant.Snapshot().Groups[0].ID, tenantID)
	r.Kinds, err = s.Kinds(ctx, ids)
	ok(err)
	r.Presence, err = s.Presence(ctx, graphsync.User, ids)
	ok(err)
	return r
}
