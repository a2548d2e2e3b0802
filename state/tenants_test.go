package state_test

import (
	"errors"
	"testing"

	"entrasync/graphsync"
	"entrasync/state"
)

func TestTenantRecords(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := state.TenantRecord{Name: "b", ID: id(2), Origin: "consent", State: "active", Paused: true, Since: now}
	for _, r := range []state.TenantRecord{{Name: "c", ID: id(3)}, b, {Name: "a", ID: id(1)}, {Name: "a", ID: id(4)}} {
		if err := s.TenantRecords().Put(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.TenantRecords().Delete(id(3)), s.TenantRecords().Delete(id(9))); err != nil {
		t.Fatal(err)
	}
	got, err := s.TenantRecords().All()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "records", got, []state.TenantRecord{{Name: "a", ID: id(1)}, {Name: "a", ID: id(4)}, b})
	for _, r := range []state.TenantRecord{{}, {Name: "unnamed"}, {ID: id(5)}} {
		if err := s.TenantRecords().Put(r); err == nil {
			t.Errorf("%+v was stored", r)
		}
	}
}

func TestChangeTenantRecord(t *testing.T) {
	t.Parallel()
	s := open(t)
	refused := errors.New("no")
	err := errors.Join(
		s.TenantRecords().Change(id(1), func(r *state.TenantRecord) error { r.Name, r.State = "a", "active"; return nil }),
		s.TenantRecords().Change(id(1), func(r *state.TenantRecord) error { r.Paused = true; return nil }),
		s.TenantRecords().Change(id(2), func(r *state.TenantRecord) error { return nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.TenantRecords().Change(id(1), func(r *state.TenantRecord) error { r.State = ""; return refused }); !errors.Is(err, refused) {
		t.Errorf("a change that fails: %v", err)
	}
	if err := s.TenantRecords().Change(id(1), func(r *state.TenantRecord) error { r.ID = id(2); return nil }); err == nil {
		t.Error("a record became that of another tenant")
	}
	if err := s.TenantRecords().Change(graphsync.ID{}, func(*state.TenantRecord) error { return nil }); err == nil {
		t.Error("a tenant without an id has a record")
	}
	got, err := s.TenantRecords().All()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "records", got, []state.TenantRecord{{Name: "a", ID: id(1), State: "active", Paused: true}})
}
