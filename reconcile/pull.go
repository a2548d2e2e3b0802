package reconcile

import (
	"context"

	"entrasync/reconcile/snapshot"
)

// A puller brings the snapshot of a tenant up to date and puts what the read says into the report.
type puller struct {
	reader *snapshot.Reader
	opts   Options
	ledger *ledger
}

// pull reads what the syncs of the tenant need; nothing is decided before all of it is there. A plan from the
// snapshot alone reads nothing and says what it lacks.
func (p *puller) pull(ctx context.Context) error {
	if p.opts.WasRead {
		return nil
	}
	if p.opts.NoRefresh {
		unread, err := snapshot.Unread(p.reader.Tenant, p.reader.Requirements)
		p.ledger.took(snapshot.Result{Notes: unread})
		return err
	}
	result, err := p.reader.Read(ctx)
	p.ledger.took(result)
	return err
}
