package worker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/snapshot"
	"entrasync/state"
)

// ConsentNeeds returns what the syncs of a tenant that joins by consent will read.
func (w *Worker) ConsentNeeds(id graphsync.ID) (snapshot.Requirements, error) {
	syncs, _ := w.TenantSyncs(id)
	for _, entry := range w.Config.Syncs {
		if !entry.Value.From.Consented {
			continue
		}
		t, faults := compile.NewTemplate(w.Config, entry)
		if err := faults.Err(); err != nil {
			return snapshot.Requirements{}, err
		}
		syncs = append(syncs, t.Sync)
	}
	return reconcile.RequirementsOf(syncs), nil
}

// Admit registers a tenant whose consent is proven, and reports whether it was registered already. It fails
// with class policy for one that was removed and comes back by a link that is not made for it.
func (t *Tenants) Admit(organization graphsync.Organization, invitation state.Invitation) (known bool, err error) {
	if t.Configures(organization.ID) {
		return true, nil
	}
	records, err := t.store.TenantRecords().All()
	if err != nil {
		return false, err
	}
	name := uniqueName(organization.Name, organization.ID, t.namesTaken(records))
	err = t.store.TenantRecords().Change(organization.ID, func(r *state.TenantRecord) error {
		known = r.Origin == FromConsent && r.Removed.IsZero()
		switch {
		case known:
			return nil
		case !r.Removed.IsZero() && invitation.Tenant != organization.ID:
			// Its application may still hold the earlier consent. Claimed with an open link, that
			// alone must not bring back a tenant that was removed.
			return &graphsync.Error{Class: graphsync.Policy, Op: "consent", Message: "your organization was connected before and has been taken out",
				Hint: "ask the person who sent the link for one that is made for your organization's tenant ID"}
		}
		*r = state.TenantRecord{
			ID: organization.ID, Name: name, Origin: FromConsent,
			State: Active, Message: "no cycle has run yet", Note: cmp.Or(invitation.Note, organization.Name), Since: time.Now().UTC().Truncate(time.Second),
			Domains: strings.Join(organization.Domains, " "),
		}
		return nil
	}, auditEntry("tenant_joined", Tenant{ID: organization.ID, Name: name, Origin: FromConsent}, state.Actor{Kind: state.ActorConsent}))
	if err == nil && !known {
		t.log.Info("tenant joined by consent", "tenant", name, "id", organization.ID, "organization", organization.Name, "note", invitation.Note)
	}
	return known, err
}

// uniqueName derives a tenant's name from its organization's: fit for file names and addresses, and never
// another tenant's name or id.
func uniqueName(wanted string, id graphsync.ID, taken []string) string {
	var slug strings.Builder
	for _, r := range strings.ToLower(wanted) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			slug.WriteRune(r)
		case slug.Len() > 0 && !strings.HasSuffix(slug.String(), "-"):
			slug.WriteByte('-')
		}
		if slug.Len() == 40 {
			break
		}
	}
	base := strings.Trim(slug.String(), "-")
	if _, err := graphsync.ParseID(base); err == nil || base == "" || base == "consented" {
		base = "tenant-" + id.String()[:8]
	}
	name := base
	for n := 2; slices.Contains(taken, name); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}
