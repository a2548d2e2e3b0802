package state_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"entrasync/state"
)

func TestInvitations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := openDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	key, old := state.InvitationKey{1}, state.InvitationKey{2}
	now := time.Date(2026, 7, 2, 15, 0, 0, 0, time.UTC)
	if _, err := s.Invitations().Get(key); !errors.Is(err, state.ErrNoInvitation) {
		t.Errorf("an invitation that does not exist: %v", err)
	}
	if err := s.Invitations().Change(key, func(*state.Invitation) error { return nil }); !errors.Is(err, state.ErrNoInvitation) {
		t.Errorf("change an invitation that does not exist: %v", err)
	}
	made := state.Invitation{Tenant: id(1), Note: "Contoso Ltd", Created: now, Expires: now.Add(time.Hour)}
	if err := errors.Join(s.Invitations().Put(key, made), s.Invitations().Put(old, state.Invitation{Expires: now})); err != nil {
		t.Fatal(err)
	}
	expired := func(_ state.InvitationKey, i state.Invitation) bool { return i.Expires.Equal(now) }
	for _, want := range []int{1, 0} {
		if n, err := s.Invitations().Drop(expired); err != nil || n != want {
			t.Errorf("%d dropped, %v, want %d", n, err, want)
		}
	}
	joins := func(key state.InvitationKey, i state.Invitation) bool {
		if i.Claim != nil {
			return false
		}
		err := s.Invitations().Change(key, func(i *state.Invitation) error {
			i.Claim = &state.ConsentClaim{Joined: true}
			return nil
		})
		return err == nil
	}
	if n, err := s.Invitations().Drop(joins); err != nil || n != 0 {
		t.Errorf("%d dropped, %v, want none: it changed before it was dropped", n, err)
	}
	refused := errors.New("no")
	if err := s.Invitations().Change(key, func(i *state.Invitation) error { i.Note = "other"; return refused }); !errors.Is(err, refused) {
		t.Errorf("a change that fails: %v", err)
	}
	err = s.Invitations().Change(key, func(i *state.Invitation) error {
		i.Claim = &state.ConsentClaim{Tenant: id(2), Since: now}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = openDir(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	made.Claim = &state.ConsentClaim{Tenant: id(2), Since: now}
	all, err := s.Invitations().All()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "invitations", all, map[state.InvitationKey]state.Invitation{key: made})
	if !all[key].Claim.Proving() {
		t.Error("a claim without an end is not being proven")
	}
}

func TestInvitationStatus(t *testing.T) {
	t.Parallel()
	later := now.Add(time.Hour)
	visit := []state.ConsentVisit{{Expires: later}}
	for want, i := range map[string]state.Invitation{
		"open":     {Expires: later},
		"opened":   {Expires: later, Begun: visit},
		"checking": {Expires: now, Claim: &state.ConsentClaim{}},
		"failed":   {Expires: later, Claim: &state.ConsentClaim{Problem: "no"}, Begun: visit},
		"joined":   {Expires: now, Claim: &state.ConsentClaim{Joined: true}},
		"expired":  {Expires: now, Begun: visit, Declined: &state.ConsentRefusal{At: now}},
		"declined": {Expires: later, Declined: &state.ConsentRefusal{At: now}, Claim: &state.ConsentClaim{Problem: "no"}, Begun: visit},
	} {
		if got := i.Status(now); got != want {
			t.Errorf("%+v is %s, want %s", i, got, want)
		}
	}
	if got := (state.InvitationKey{0xab, 0xcd}).Name(); got != "abcd0000" {
		t.Errorf("name %s", got)
	}
}

// A link that is withdrawn is reported to the audit log; one that a tenant has joined with, or that is not there,
// is neither.
func TestWithdraw(t *testing.T) {
	t.Parallel()
	s, err := openDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	open, joined := state.InvitationKey{1}, state.InvitationKey{2}
	err = errors.Join(s.Invitations().Put(open, state.Invitation{Note: "Contoso Ltd", Expires: now}),
		s.Invitations().Put(joined, state.Invitation{Claim: &state.ConsentClaim{Joined: true}}))
	if err != nil {
		t.Fatal(err)
	}
	by := state.Actor{Kind: state.ActorPage, Name: "ada"}
	for _, c := range []struct {
		name string
		want error
	}{
		{joined.Name(), state.ErrInvitationUsed},
		{state.InvitationKey{3}.Name(), state.ErrNoInvitation},
		{open.Name(), nil},
		{open.Name(), state.ErrNoInvitation},
	} {
		withdrawn, err := s.Invitations().Withdraw(c.name, now, by)
		if !errors.Is(err, c.want) || err == nil && withdrawn.Note != "Contoso Ltd" {
			t.Errorf("%s: %+v, %v, want %v", c.name, withdrawn, err, c.want)
		}
	}
	all, err := s.Invitations().All()
	if _, kept := all[joined]; err != nil || len(all) != 1 || !kept {
		t.Errorf("%v are left, %v", all, err)
	}
	var lines []string
	err = s.Audit().View(func(a state.Audit) error {
		for line := range a.Lines(state.AuditQuery{}) {
			if text := string(line.Text()); strings.Contains(text, "withdrawn") {
				lines = append(lines, text)
			}
		}
		return nil
	})
	if err != nil || len(lines) != 1 || !strings.Contains(lines[0], open.Name()) || !strings.Contains(lines[0], `"actor":"page","by":"ada"`) {
		t.Errorf("the log has %q, %v", lines, err)
	}
}
