package reconcile

import (
	"context"
	"time"

	"entrasync/state"
)

// organizationLife is how long the tenant's domains are believed: they change once in years.
const organizationLife = 24 * time.Hour

// pullOrganization reads the tenant's default domain for mappings that call DefaultDomain(). When it
// is another one than before, everyone is evaluated. A tenant that cannot be asked keeps the domain
// it had; without one the records that need it are skipped with the reason.
func (p *puller) pullOrganization(ctx context.Context) error {
	if !p.needs.Organization {
		return nil
	}
	var known state.Organization
	err := p.tenant.View(func(tx *state.Tx) error {
		known, _ = tx.Organization()
		return nil
	})
	if err != nil || known.DefaultDomain != "" && p.now.Sub(known.Read) < organizationLife && !p.opts.Full {
		return err
	}
	organization, err := p.source.Organization(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		p.ledger.note("the tenant's default domain could not be read, so that DefaultDomain() is %s: %v", domainText(known.DefaultDomain), err)
		return nil
	case organization.DefaultDomain == "":
		p.ledger.note("Graph names no default domain of the tenant, so that DefaultDomain() is %s", domainText(known.DefaultDomain))
		return nil
	}
	return p.tenant.Update(func(tx *state.Tx) error {
		if organization.DefaultDomain != known.DefaultDomain {
			for _, name := range p.peers {
				if err := tx.Pending(name).SetEverything(true); err != nil {
					return err
				}
			}
		}
		return tx.PutOrganization(state.Organization{DefaultDomain: organization.DefaultDomain, Read: p.now})
	})
}

func domainText(domain string) string {
	if domain == "" {
		return "not known"
	}
	return "still " + domain
}
