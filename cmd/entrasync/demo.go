package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/reconcile"
)

func (a *app) demoCommand() *cobra.Command {
	users := 12
	serve := false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See all of it at work; needs nothing",
		Long: `Starts the Graph emulator with a sample tenant and keeps the accounts of an embedded target in step
with it, in one process: a plan, its application, a joiner, a mover and a leaver, the next cycle,
and why one person has the account that came out. Nothing outside a temporary folder is touched.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), users, serve) },
	}
	cmd.Flags().IntVar(&users, "users", users, "people in the sample tenant")
	cmd.Flags().BoolVar(&serve, "serve", false, "keep running afterwards, a cycle every minute, until interrupted")
	return cmd
}

// demoConfig is the configuration of the demo, with the addresses to fill in.
const demoConfig = `state: %[1]q
schedule: "@every 1m"
http: {listen: "127.0.0.1:0"}
cloud: {authority: %[2]q, graph: %[2]q}
app: {client_id: %[3]s, client_secret: %[4]q}
tenants:
  contoso: {id: %[5]s}
targets:
  people: {type: file, path: %[6]q}
syncs:
  people:
    from: contoso
    to: people
    users:
      match: [externalId, userName]
      attributes:
        externalId: "[objectId]"
        userName: {expr: "ToLower([userPrincipalName])", required: true}
        active: "Not([IsSoftDeleted])"
        displayName: "[displayName]"
        name.givenName: "[givenName]"
        name.familyName: "[surname]"
        title: "[jobTitle]"
        'emails[type eq "work"].value': "[mail]"
        urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department: "[department]"
        'roles[primary eq "True"].value':
          expr: "SingleAppRoleAssignment([appRoleAssignments])"
          priority: [AdminUser, SuperUser, GeneralUser, Viewer]
    groups:
      enabled: true
      attributes:
        displayName: "[displayName]"
    guard: {creations: off}   # a first cycle of thousands is no accident here
`

func (a *app) demo(ctx context.Context, users int, serve bool) error {
	if users < 3 {
		return fmt.Errorf("--users is %d, want at least 3: one joins, one moves, one leaves", users)
	}
	dir, err := os.MkdirTemp("", "entrasync-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer os.RemoveAll(dir)
	server, tenants := sampleServer(users, 1, 1)
	running, err := server.Start("")
	if err != nil {
		return err
	}
	defer running.Close()
	file := filepath.Join(dir, "people.jsonl")
	text := fmt.Sprintf(demoConfig, filepath.Join(dir, "state"), running.URL, sampleClient, sampleSecret, sampleTenant, file)
	cfg, syncs, err := compile.Parse("demo.yaml", []byte(text), os.LookupEnv)
	if err != nil {
		return err
	}
	a.graph = running.Client().Transport
	w, err := worker.Open(cfg, syncs, a.options(slog.LevelWarn))
	if err != nil {
		return err
	}
	defer w.Close()
	d := demonstration{app: a, worker: w, sync: syncs[0], tenant: tenants[0], file: file}
	if err := d.show(ctx); err != nil {
		return err
	}
	if !serve {
		return nil
	}
	return a.serve(ctx, w, func(url string) {
		fmt.Fprintf(a.out, "\nServing %s: a cycle every minute against %s; accounts are in %s. Ctrl-C ends it.\n", url, running.URL, file)
	})
}

type demonstration struct {
	*app
	worker *worker.Worker
	sync   *compile.Sync
	tenant *graphtest.Tenant
	file   string
}

func (d *demonstration) show(ctx context.Context) error {
	heading := func(format string, args ...any) {
		fmt.Fprintf(d.out, "\n%s\n", d.paint("1", fmt.Sprintf(format, args...)))
	}
	heading("1. The plan: what a first cycle would do (nothing is written)")
	code := exitDone
	if err := d.planOne(ctx, d.worker, d.sync, syncFlags{}, nil, &code); err != nil {
		return err
	}
	heading("2. The first cycle, applied")
	if err := d.cycle(ctx); err != nil {
		return err
	}
	heading("3. The directory changes: one joins, one moves, one leaves")
	joiner, err := d.change()
	if err != nil {
		return err
	}
	heading("4. The plan now, and nothing else in it")
	if err := d.planOne(ctx, d.worker, d.sync, syncFlags{}, nil, &code); err != nil {
		return err
	}
	heading("5. The second cycle")
	if err := d.cycle(ctx); err != nil {
		return err
	}
	heading("6. The third cycle has nothing to do")
	if err := d.cycle(ctx); err != nil {
		return err
	}
	heading("7. Why has the new person this account?")
	if err := d.explainOne(ctx, d.worker, d.sync, reconcile.Subject{Kind: graphsync.User, Key: joiner.String()}); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\nThat was all. Next: entrasync init writes a configuration for your own tenant.\n")
	return nil
}

func (d *demonstration) cycle(ctx context.Context) error {
	_, err := d.syncOne(ctx, d.worker, d.sync, reconcile.Options{Apply: true})
	return err
}

// change makes the three edits an administrator makes most.
func (d *demonstration) change() (joiner graphsync.ID, err error) {
	assigned, err := d.linked()
	if err != nil {
		return joiner, err
	}
	if len(assigned) < 2 {
		return joiner, fmt.Errorf("the sample tenant has %d people assigned, the demo needs two", len(assigned))
	}
	joiner = d.tenant.AddUser(graphtest.Props{"displayName": "Ada Lovelace", "givenName": "Ada", "surname": "Lovelace",
		"userPrincipalName": "ada.lovelace@" + d.tenant.Domain(), "mail": "ada.lovelace@" + d.tenant.Domain(),
		"accountEnabled": true, "userType": "Member", "department": "Research", "jobTitle": "Analyst"})
	d.tenant.Assign(sampleClient, joiner, "SuperUser")
	mover, leaver := assigned[0], assigned[1]
	d.tenant.Update(mover.Source, graphtest.Props{"department": "Strategy", "jobTitle": "Director"})
	d.tenant.SoftDelete(leaver.Source)
	fmt.Fprintf(d.out, "  ada.lovelace@%s is hired and assigned the app role SuperUser\n  %s moves to Strategy\n  %s is deleted\n", d.tenant.Domain(), mover.Key, leaver.Key)
	return joiner, nil
}
