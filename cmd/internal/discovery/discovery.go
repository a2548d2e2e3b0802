// Package discovery lists the accounts of a target for a command, with who each belongs to.
//
// What an account is found to be is decided by package reconcile. This package promises that an account is listed once
// where several tenants are asked: with the one it belongs to.
package discovery

import (
	"context"
	"fmt"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/bulkimport"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile"
)

// A Command lists accounts.
type Command struct {
	Worker *worker.Worker
	Print  console.Printer
}

// A discovered account is one line of `discover --json`.
type discovered struct {
	reconcile.Account
	Tenant     string `json:"tenant"`
	TenantName string `json:"tenant_name"`
}

// List prints the accounts of the targets of some syncs.
func (c Command) List(ctx context.Context, syncs []*compile.Sync) error {
	several := len(syncs) > 1
	for _, s := range syncs {
		if several && !c.Print.JSON {
			fmt.Fprintf(c.Print.Out.W, "tenant %s:\n", s.TenantName)
		}
		err := c.accounts(ctx, s, func(account reconcile.Account) error {
			switch {
			case several && account.Others: // it is listed where it belongs
				return nil
			case c.Print.JSON:
				return c.Print.Document(discovered{account, s.Tenant.String(), s.TenantName})
			}
			return c.print(account)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// CSV prints the accounts that no user of the directory has, for Entra's bulk import. It takes one sync.
func (c Command) CSV(ctx context.Context, syncs []*compile.Sync) error {
	if len(syncs) > 1 {
		return advice.With(fmt.Errorf("the users to import are those that one tenant lacks, and sync %s reads from %d", syncs[0].Name, len(syncs)), "name the tenant with --tenant")
	}
	out, err := bulkimport.New(c.Print.Out.W)
	if err != nil {
		return err
	}
	for _, s := range syncs {
		if err := c.accounts(ctx, s, func(account reconcile.Account) error { return out.Add(&account) }); err != nil {
			return err
		}
	}
	return out.Close()
}

func (c Command) accounts(ctx context.Context, s *compile.Sync, visit func(reconcile.Account) error) error {
	progress, done := c.Print.Progress(s.Name)
	defer done()
	syncer, release, err := c.Worker.Syncer(ctx, s, progress)
	if err != nil {
		return err
	}
	defer release()
	return syncer.Discover(ctx, visit)
}

func (c Command) print(account reconcile.Account) error {
	_, err := fmt.Fprintf(c.Print.Out.W, "%-10s %s  %s\n", account.State, console.Printable(account.Key), c.Print.Out.Paint(console.Faint, "("+console.Printable(account.TargetID+": "+account.Why)+")"))
	return err
}
