package consentweb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"entrasync/cmd/internal/webserver"
	"entrasync/graphsync"
	"entrasync/state"
)

const (
	proofsAtOnce = 8
	longestWait  = 30 * time.Second
	sweepEvery   = time.Minute
)

// Run proves claims until ctx ends, also those that an earlier run of the service left. It
// returns when the last proof has ended.
func (c *Server) Run(ctx context.Context) {
	var proofs sync.WaitGroup
	defer proofs.Wait()
	slots := make(chan struct{}, proofsAtOnce)
	going := map[state.InvitationKey]bool{}
	ended := make(chan state.InvitationKey)
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		for key, invitation := range c.claims() {
			if going[key] {
				continue
			}
			going[key] = true
			proofs.Go(func() {
				c.prove(ctx, slots, key, invitation)
				select {
				case ended <- key:
				case <-ctx.Done():
				}
			})
		}
		select {
		case <-ctx.Done():
			return
		case key := <-ended:
			delete(going, key)
		case <-c.wake:
		case <-sweep.C:
			old := c.Now().Add(-rememberFor)
			_, err := c.Store.Invitations().Drop(func(_ state.InvitationKey, i state.Invitation) bool { return i.Expires.Before(old) })
			if err != nil {
				c.Log.Error("forget old invitations", "error", err)
			}
		}
	}
}

// wakeProver makes Run look for claims.
func (c *Server) wakeProver() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// claims returns the invitations whose claim waits for its proof.
func (c *Server) claims() map[state.InvitationKey]state.Invitation {
	all, err := c.Store.Invitations().All()
	if err != nil {
		c.Log.Error("read invitations", "error", err)
		return nil
	}
	for key, invitation := range all {
		if !invitation.Claim.Proving() {
			delete(all, key)
		}
	}
	return all
}

// prove proves one claim, again and again while the consent spreads through Microsoft's
// datacentres, and keeps what came of it. Only the tries take a slot, not the waits between them.
func (c *Server) prove(ctx context.Context, slots chan struct{}, key state.InvitationKey, invitation state.Invitation) {
	claim := *invitation.Claim
	log := c.Log.With("invitation", key.Name(), "tenant", claim.Tenant, "note", invitation.Note)
	began := c.Now() // the time limit is for tries: a stopped service has made none
	for wait := c.FirstWait; ; wait = min(2*wait, longestWait) {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return // the next start of the service resumes
		}
		organization, err := c.attempt(ctx, key, claim.Tenant, invitation)
		<-slots
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, state.ErrNoInvitation):
			log.Warn("the invitation was withdrawn while its consent was being checked")
			return
		case err == nil:
			claim.Joined, claim.Name = true, organization.Name
			log.Info("consent is proven", "organization", organization.Name)
		case c.hopeless(err, began):
			claim.Problem, claim.Hint = sentences(err)
			log.Warn("consent could not be proven", "error", err)
		default:
			log.Info("consent is not proven yet", "because", err, "wait", wait)
		}
		if !claim.Proving() {
			if err = c.keep(key, claim); err == nil || errors.Is(err, errState) || errors.Is(err, state.ErrNoInvitation) {
				return
			}
			log.Error("store the outcome of a consent", "error", err)
			claim = *invitation.Claim
			wait = longestWait // such as a full disk
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// attempt proves a claim once, and has the tenant join when it is true.
func (c *Server) attempt(ctx context.Context, key state.InvitationKey, tenant graphsync.ID, invitation state.Invitation) (graphsync.Organization, error) {
	organization, err := c.Prove(ctx, tenant)
	if err == nil && organization.ID != tenant {
		err = &graphsync.Error{Class: graphsync.TenantUnknown, Message: "the token is of another organization", Hint: "open the link again"}
	}
	if err == nil {
		_, err = c.Store.Invitations().Get(key) // it may have been withdrawn
	}
	if _, open := c.Settings(tenant); err == nil && !open {
		err = errClosed
	}
	if err == nil {
		err = c.Join(ctx, organization, invitation)
	}
	return organization, err
}

// lost are the failures that a retry does not mend. A missing consent or permission is not among
// them: just after a consent that is what a tenant answers.
var lost = []graphsync.Class{graphsync.TenantUnknown, graphsync.AppDisabled, graphsync.Policy}

func (c *Server) hopeless(err error, since time.Time) bool {
	var e *graphsync.Error
	return errors.As(err, &e) && slices.Contains(lost, e.Class) || c.Now().Sub(since) >= c.MaxElapsed
}

// sentences says for the administrator why a claim is not proven. What is wrong on our side is
// for our log only.
func sentences(err error) (problem, hint string) {
	var e *graphsync.Error
	if !errors.As(err, &e) {
		return "We could not finish the connection.", "Open the link again later, or ask the person who sent it to you."
	}
	switch e.Class {
	case graphsync.TenantUnknown, graphsync.AppDisabled, graphsync.Policy:
		return webserver.Sentence(e.Message), webserver.Sentence(e.Hint)
	case graphsync.ConsentMissing:
		return "Microsoft Entra does not show the consent in your organization.", "Open the link again as a Global Administrator or Privileged Role Administrator, and accept."
	case graphsync.PermissionMissing:
		return webserver.Sentence(e.Message), "Tell the person who sent you the link: the permission must be added to the app registration, and the consent given again."
	}
	return "We could not read your organization's name from Microsoft Graph.", "This is likely on our side: tell the person who sent you the link, and open it again later."
}

// keep stores the outcome of a claim, unless the invitation has another by now.
func (c *Server) keep(key state.InvitationKey, claim state.ConsentClaim) error {
	return c.Store.Invitations().Change(key, func(i *state.Invitation) error {
		if i.Claim == nil || !i.Claim.Since.Equal(claim.Since) {
			return fmt.Errorf("keep the outcome: %w", errState)
		}
		i.Claim = &claim
		return nil
	})
}
