package reconcile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// moving is ada, who leaves contoso for good and comes to fabrikam with her address.
func moving(t *testing.T) (s *service, contoso, fabrikam *customer) {
	t.Helper()
	s = newService(t)
	contoso, fabrikam = s.customer("contoso"), s.customer("fabrikam")
	contoso.source.person(1, "ada@example.com", "Ada of contoso")
	contoso.source.person(2, "bob@example.com", "Bob")
	fabrikam.source.person(3, "ada@example.com", "Ada of fabrikam")
	want(t, "contoso", contoso.cycle(), "2 created")
	want(t, "fabrikam", fabrikam.cycle(), "skipped ada@example.com: duplicate_target")
	return s, contoso, fabrikam
}

// approve lets go what a sync holds.
func (s stored) approve() {
	s.c.t.Helper()
	tenant, err := s.c.store.Tenant(s.c.id)
	if err != nil {
		s.c.t.Fatal(err)
	}
	defer tenant.Close()
	err = tenant.Update(func(tx *state.Tx) error {
		for hold := range tx.Holds(s.c.sync).All() {
			if _, err := guard.Approve(tx, s.c.sync, hold.ID, plan.Decision{At: s.c.now}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.c.t.Fatal(err)
	}
}

const offered = "held by former_owner: adopt ada@example.com"

// The account of a user who left one tenant for another goes over when that is approved, and is
// the former tenant's no more.
func TestPersonMovesToAnotherTenant(t *testing.T) {
	t.Parallel()
	s, contoso, fabrikam := moving(t)
	contoso.source.gone("ada@example.com", graphsync.SoftDeleted)
	want(t, "contoso", contoso.cycle(), "1 deactivated, 1 unchanged")
	want(t, "contoso, when she is switched off", contoso.must(reconcile.Options{Apply: true, Full: true}), "2 unchanged")
	want(t, "fabrikam, she may come back there", fabrikam.cycle(), "skipped ada@example.com: duplicate_target")
	contoso.source.gone("ada@example.com", graphsync.Purged)
	want(t, "contoso", contoso.cycle(), "2 unchanged")
	want(t, "fabrikam", fabrikam.cycle(), offered)
	want(t, "accounts", s.app().String(), "!ada=Ada of contoso bob=Bob")
	want(t, "fabrikam, waiting", fabrikam.cycle(), offered)
	fabrikam.stored().approve()
	want(t, "fabrikam, approved", fabrikam.cycle(), "1 adopted")
	want(t, "accounts", s.app().String(), "ada=Ada of fabrikam bob=Bob")
	want(t, "contoso", contoso.must(reconcile.Options{Apply: true, Full: true}), "1 unchanged")
	fabrikam.source.person(3, "ada@example.com", "Ada")
	want(t, "fabrikam", fabrikam.cycle(), "1 updated")
	want(t, "contoso", contoso.must(reconcile.Options{Apply: true, Full: true}), "1 unchanged")
	want(t, "accounts", s.app().String(), "ada=Ada bob=Bob")

	// The registry knows it also when it is rebuilt.
	s.restart(s.loseRegistry)
	want(t, "fabrikam", fabrikam.must(reconcile.Options{Apply: true, Full: true}), "1 unchanged")
	text, err := os.ReadFile(filepath.Join(s.dir, contoso.id.String()+".db"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "Ada of fabrikam") {
		t.Error("contoso's file holds what fabrikam calls her")
	}
}

// What a tenant still has to do with an account of a leaver is not done to that of
// another tenant; and a user who was believed gone keeps an account that was not taken.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*reconcile.Sync)                         // of contoso's sync
		tell   func(s *service, contoso, fabrikam *customer) // she has left contoso for good
	}{
		"deleted in the same moment": {nil, func(s *service, contoso, fabrikam *customer) {
			want(t, "fabrikam", fabrikam.cycle(), offered)
		}},
		"to be deleted later": {func(s *reconcile.Sync) { s.Users.OnRemove.After = 72 * time.Hour }, func(s *service, contoso, fabrikam *customer) {
			want(t, "fabrikam", fabrikam.cycle(), "skipped ada@example.com: duplicate_target")
			for range 2 {
				s.now = s.now.Add(25 * time.Hour)
				want(t, "contoso", contoso.cycle(), "2 unchanged")
			}
			s.now = s.now.Add(25 * time.Hour)
			want(t, "contoso", contoso.cycle(), "1 deleted, 1 unchanged")
			want(t, "fabrikam", fabrikam.cycle(), "1 created")
		}},
		"to be deleted later, by a configuration of since": {nil, func(s *service, contoso, fabrikam *customer) {
			want(t, "fabrikam", fabrikam.cycle(), offered)
			fabrikam.stored().approve()
			want(t, "fabrikam", fabrikam.cycle(), "1 adopted")
			contoso.change = func(s *reconcile.Sync) { s.Users.OnRemove.After, s.Text = time.Hour, "another" }
			want(t, "contoso", contoso.cycle(), "1 unchanged")
			want(t, "accounts", s.app().String(), "ada=Ada of fabrikam bob=Bob")
		}},
		"kept active": {func(s *reconcile.Sync) { s.Users.OnRemove.Do = "" }, func(s *service, contoso, fabrikam *customer) {
			want(t, "fabrikam", fabrikam.cycle(), "skipped ada@example.com: duplicate_target")
		}},
		"waiting for an approval, and active": {func(s *reconcile.Sync) { s.Guard.Removals = count(0) }, func(s *service, contoso, fabrikam *customer) {
			want(t, "contoso", contoso.cycle(), "1 unchanged, held by removals: deactivate ada@example.com")
			want(t, "fabrikam", fabrikam.cycle(), "skipped ada@example.com: duplicate_target")
		}},
		"back after all": {nil, func(s *service, contoso, fabrikam *customer) {
			contoso.source.person(1, "ada@example.com", "Ada of contoso")
			want(t, "contoso", contoso.cycle(), "1 reactivated, 1 unchanged")
			want(t, "fabrikam", fabrikam.cycle(), "skipped ada@example.com: duplicate_target")
		}},
		"back before the answer is carried out": {nil, func(s *service, contoso, fabrikam *customer) {
			want(t, "fabrikam", fabrikam.cycle(), offered)
			fabrikam.stored().approve()
			contoso.source.person(1, "ada@example.com", "Ada of contoso")
			want(t, "contoso", contoso.cycle(), "1 reactivated, 1 unchanged")
			want(t, "fabrikam", fabrikam.cycle(), "skipped ada@example.com: duplicate_target")
			want(t, "accounts", s.app().String(), "ada=Ada of contoso bob=Bob")
		}},
		"back when the account is another's": {nil, func(s *service, contoso, fabrikam *customer) {
			want(t, "fabrikam", fabrikam.cycle(), offered)
			fabrikam.stored().approve()
			want(t, "fabrikam", fabrikam.cycle(), "1 adopted")
			contoso.source.person(1, "ada@example.com", "Ada of contoso")
			want(t, "contoso", contoso.cycle(), "1 unchanged, skipped ada@example.com: duplicate_target")
			want(t, "accounts", s.app().String(), "ada=Ada of fabrikam bob=Bob")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, contoso, fabrikam := moving(t)
			contoso.change = tt.change
			contoso.source.gone("ada@example.com", graphsync.Purged)
			contoso.cycle()
			contoso.cycle()
			tt.tell(s, contoso, fabrikam)
		})
	}
}

// Accounts of a sync that is no longer configured are offered, and those of another sync of the tenant are
// not. Those of a tenant whose file is missing
// are not, as the file may come back: they are free when the tenant is removed.
func TestOwnerIsUnknown(t *testing.T) {
	t.Parallel()
	s, contoso, fabrikam := moving(t)
	s.restart(func() error { return os.Remove(filepath.Join(s.dir, contoso.id.String()+".db")) })
	want(t, "fabrikam", fabrikam.cycle(), "skipped ada@example.com: duplicate_target")
	want(t, "contoso, all again", contoso.cycle(), "2 adopted")
	s.restart(func() error { return os.Remove(filepath.Join(s.dir, contoso.id.String()+".db")) })
	if err := s.store.RemoveTenant(contoso.id); err != nil {
		t.Fatal(err)
	}
	want(t, "fabrikam, when contoso is removed", fabrikam.cycle(), "1 adopted")

	fabrikam.sync, fabrikam.peers = "staff", []string{"people", "staff"}
	want(t, "a second sync of the tenant", fabrikam.cycle(), "skipped ada@example.com: duplicate_target")
	fabrikam.peers = nil
	want(t, "a sync of another name", fabrikam.cycle(), offered)
	fabrikam.stored().approve()
	want(t, "approved", fabrikam.cycle(), "1 adopted")
	want(t, "accounts", s.app().String(), "ada=Ada of fabrikam bob=Bob")
}

// Who has the account is said by name, with what to do.
func TestOwnerIsNamed(t *testing.T) {
	t.Parallel()
	s, contoso, fabrikam := moving(t)
	if err := s.store.TenantRecords().Put(state.TenantRecord{ID: contoso.id, Name: "contoso-ltd"}); err != nil {
		t.Fatal(err)
	}
	report, err := fabrikam.run(reconcile.Options{Apply: true})
	if err != nil || len(report.Skipped) != 1 {
		t.Fatalf("%v %v", err, report.Skipped)
	}
	want(t, "why", report.Skipped[0].Why, "the account with this userName (1) is of sync people of tenant contoso-ltd; it is offered here once its person is deleted there for good and it is switched off, "+
		"and is free when the tenant is removed (entrasync tenants remove contoso-ltd)")
}

// many makes so many users that the application is listed to find their accounts.
func (d *directory) many(domain string) {
	for n := range 60 {
		d.person(n+2, fmt.Sprintf("user%d@%s", n, domain), "User")
	}
}

// A listingApplication has something happen when it has been listed.
type listingApplication struct {
	*application
	listed func()
}

func (a listingApplication) List(ctx context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	err := a.application.List(ctx, kind, yield)
	a.listed()
	return err
}

// Of an account that another tenant keeps nothing but the id comes into a tenant's file, also while the
// application is listed.
func TestListedAccountsOfOtherTenants(t *testing.T) {
	t.Parallel()
	s, _, _ := moving(t)
	s.app().seed("bea@example.com")
	tailspin := s.customer("tailspin")
	tailspin.source.person(1, "ada@example.com", "Ada of tailspin")
	tailspin.source.person(100, "bea@example.com", "Bea")
	tailspin.source.many("tailspin.example")
	listed := map[string]string{}
	s.through = func(a *application) target.Adapter {
		return listingApplication{a, func() {
			tailspin.stored().tx(func(tx *state.Tx) error {
				for id, raw := range tx.Space(tailspin.sync, "listing").All(nil) {
					listed[string(id)] = string(raw)
				}
				return nil
			})
		}}
	}
	want(t, "tailspin", tailspin.cycle(), "60 created, 1 adopted, skipped ada@example.com: duplicate_target")
	if len(listed) != 2 || !strings.Contains(listed["3"], "Seeded bea") || strings.Contains(listed["1"], "contoso") || strings.Contains(listed["1"], "ada") {
		t.Errorf("kept of the list: %v", listed)
	}
}

// A tenant that comes with many people is offered such an account too, out of a list.
func TestGivenUpInAList(t *testing.T) {
	t.Parallel()
	s, contoso, _ := moving(t)
	contoso.source.gone("ada@example.com", graphsync.Purged)
	contoso.cycle()
	contoso.cycle()
	tailspin := s.customer("tailspin")
	tailspin.source.person(1, "ada@example.com", "Ada of tailspin")
	tailspin.source.many("tailspin.example")
	want(t, "tailspin", tailspin.cycle(), "60 created, "+offered)
	tailspin.stored().approve()
	want(t, "tailspin", tailspin.cycle(), "1 adopted, 60 unchanged")
}
