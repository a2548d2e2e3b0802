package snapshot

import (
	"context"
	"time"

	"entrasync/state"
)

// organizationLife is how long the tenant's domains are believed: they change once in years.
const organizationLife = 24 * time.Hour

// readOrganization reads the tenant's default domain for mappings that call DefaultDomain(). When it
// is another one than before, all users are evaluated. A tenant that cannot be asked keeps the domain
// it had; without one the records that need it are skipped with the reason.
func (r *Reader) readOrganization(ctx context.Context, took *tally) error {
	var known state.Organization
	err := r.Tenant.View(func(tx *state.Tx) error {
		known, _ = tx.Organization()
		return nil
	})
	if err != nil || known.DefaultDomain != "" && r.Now.Sub(known.Read) < organizationLife && !r.Full {
		return err
	}
	organization, err := r.Source.Organization(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		took.note("the tenant's default domain could not be read, so that DefaultDomain() is %s: %v", domainText(known.DefaultDomain), err)
		return nil
	case organization.DefaultDomain == "":
		took.note("Graph names no default domain of the tenant, so that DefaultDomain() is %s", domainText(known.DefaultDomain))
		return nil
	}
	return r.Tenant.Update(func(tx *state.Tx) error {
		if organization.DefaultDomain != known.DefaultDomain {
			if err := setEverything(tx, r.TenantSyncs); err != nil {
				return err
			}
		}
		return tx.PutOrganization(state.Organization{DefaultDomain: organization.DefaultDomain, Read: r.Now})
	})
}

func domainText(domain string) string {
	if domain == "" {
		return "not known"
	}
	return "still " + domain
}
