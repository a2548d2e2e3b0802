package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/web"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
	"entrasync/target"
)

// A finding is one thing `check` looked at.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

func (a *app) checkCommand() *cobra.Command {
	offline := false
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Test the configuration, then every connection",
		Long: `Loads the configuration and names every fault with its place. Then it tests each tenant (token,
each Graph permission the configuration needs, the enterprise application), those that joined by
consent too, and each target, without changing anything there.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.check(cmd.Context(), offline) },
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "stop after the configuration")
	return cmd
}

func (a *app) check(ctx context.Context, offline bool) error {
	w, err := a.checked(offline)
	if err != nil {
		return err
	}
	if w.store != nil {
		defer w.Close()
	}
	cfg := w.cfg
	c := checker{app: a, worker: w}
	c.found("configuration", nil, fmt.Sprintf("%d tenants, %d targets, %d syncs", len(cfg.Tenants), len(cfg.Targets), len(cfg.Syncs)))
	c.consent()
	if !offline {
		c.tenants(ctx)
		c.checkTargets(ctx)
		if len(c.worker.syncs) == 0 && c.worker.takesConsented() {
			c.found("tenants", nil, "none has joined yet, so that no connection was tested; invite one: entrasync consent")
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if a.json {
		document := struct {
			Format string    `json:"format"`
			OK     bool      `json:"ok"`
			Checks []finding `json:"checks"`
		}{"entrasync/check/1", c.failed == 0, c.findings}
		if err := a.printJSON(document); err != nil {
			return err
		}
	}
	if c.failed > 0 {
		return exitError(exitFailed)
	}
	return nil
}

// checked returns what is to be tested. Who has joined by consent stands in the state; otherwise
// that is not touched.
func (a *app) checked(offline bool) (*worker, error) {
	if a.borrow != nil {
		return a.open()
	}
	cfg, syncs, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	w := newWorker(cfg, syncs, nil, a.logger(slog.LevelError))
	if offline || !w.takesConsented() || !state.Exists(cfg.State) {
		return w, nil
	}
	return a.open()
}

type checker struct {
	*app
	worker   *worker
	findings []finding
	failed   int
}

// found notes one result and shows it at once to people.
func (c *checker) found(what string, err error, detail string) {
	f := finding{Check: what, OK: err == nil, Detail: detail}
	if err != nil {
		c.failed++
		f.Detail = err.Error()
		var graphErr *graphsync.Error
		var targetErr *target.Error
		var advice hinted
		switch {
		case errors.As(err, &advice):
			f.Hint = advice.hint
		case errors.As(err, &graphErr):
			f.Hint = graphErr.Hint
		case errors.As(err, &targetErr):
			f.Hint = targetErr.Hint
		}
	}
	c.findings = append(c.findings, f)
	if c.json {
		return
	}
	mark := c.paint("32", "✓")
	if !f.OK {
		mark = c.paint("31", "✗")
	}
	fmt.Fprintf(c.out, "%s %s: %s\n", mark, what, printable(f.Detail))
	if f.Hint != "" {
		fmt.Fprintf(c.out, "  → %s\n", printable(f.Hint))
	}
}

// consent says what the app registration must have for tenants that join by consent.
func (c *checker) consent() {
	cfg := c.worker.cfg
	if cfg.Consent == nil {
		return
	}
	settings, err := consentSettings(cfg, graphsync.ID{})
	if err != nil {
		c.found("consent pages", err, "")
		return
	}
	detail := fmt.Sprintf("register the redirect URI %s with app %s, open to accounts of any organization", web.ConsentRedirect(settings.PublicURL), settings.ClientID)
	if c.worker.takesConsented() {
		needs, err := c.worker.consentNeeds(graphsync.ID{})
		if err != nil {
			c.found("consent pages", err, "")
			return
		}
		detail += "; its application permissions: " + strings.Join(needs.Permissions(), ", ")
	}
	c.found("consent pages", nil, detail)
}

// tenants tests, for each tenant a sync reads, exactly the calls the syncs will make.
func (c *checker) tenants(ctx context.Context) {
	seen := map[graphsync.ID]bool{}
	for _, s := range c.worker.syncs {
		if seen[s.Tenant] || ctx.Err() != nil {
			continue
		}
		seen[s.Tenant] = true
		c.tenant(ctx, s)
	}
}

func (c *checker) tenant(ctx context.Context, s *plannedSync) {
	what := "tenant " + s.tenantName
	source, err := c.worker.source(s.tenantName, s.tenant)
	if err != nil {
		c.found(what, err, "")
		return
	}
	held, err := source.Permissions(ctx)
	if err != nil {
		c.found(what+", token", err, "")
		return
	}
	c.found(what+", token", nil, "issued")
	peers, _ := c.worker.peers(s.Tenant)
	needs := reconcile.NeedsOf(peers)
	missing, superfluous := graphsync.ComparePermissions(needs.Permissions(), held)
	if len(missing) > 0 {
		c.found(what+", permissions", withHint(fmt.Errorf("missing: %s", strings.Join(missing, ", ")),
			"app registration, API permissions: add them as application permissions of Microsoft Graph, then grant admin consent"), "")
	} else {
		detail := strings.Join(needs.Permissions(), ", ")
		if len(superfluous) > 0 {
			detail += "; not needed and better taken away: " + strings.Join(superfluous, ", ")
		}
		c.found(what+", permissions", nil, detail)
	}
	c.credential(ctx, what, s, source)
	page, err := source.DeltaPage(ctx, graphsync.Users, needs.UserProperties, "")
	c.found(what+", users", err, pageDetail(page))
	if len(needs.GroupProperties) > 0 {
		page, err := source.DeltaPage(ctx, graphsync.Groups, needs.GroupProperties, "")
		c.found(what+", groups", err, pageDetail(page))
	}
	if needs.App {
		c.application(ctx, what, source, peers)
	}
}

// credential tells when the credential ends.
func (c *checker) credential(ctx context.Context, what string, s *plannedSync, source graphsync.Source) {
	now := time.Now()
	ends := c.worker.credential(ctx, s, source, now).Ends
	switch warning := endWarning(ends, now); {
	case warning != "":
		c.found(what+", credential", nil, warning)
	case ends.IsZero():
		c.found(what+", credential", nil, "accepted; its end is not known (a client secret's stands in the app registration; client_secret_expires may say it)")
	default:
		c.found(what+", credential", nil, "good until "+ends.Format(time.DateOnly))
	}
}

func pageDetail(page *graphsync.Page) string {
	switch {
	case page == nil:
		return ""
	case page.Next != "":
		return fmt.Sprintf("readable (%d on the first page)", len(page.Changes))
	}
	return fmt.Sprintf("readable (%d)", len(page.Changes))
}

// application reads each enterprise application whose assignments count.
func (c *checker) application(ctx context.Context, what string, source graphsync.Source, peers []*reconcile.Sync) {
	seen := map[string]bool{}
	for _, s := range peers {
		if seen[s.AppID] {
			continue
		}
		seen[s.AppID] = true
		app, err := source.App(ctx, s.AppID)
		if err == nil && !app.Enabled {
			err = withHint(fmt.Errorf("%q is disabled for sign-in", app.Name), "Enterprise applications, Properties: \"Enabled for users to sign-in\"")
		}
		if err != nil {
			c.found(what+", enterprise application", err, "")
			continue
		}
		rows := 0
		err = source.Assignments(ctx, app.ID, func(page []graphsync.Assignment) error { rows += len(page); return nil })
		c.found(what+", enterprise application", err, fmt.Sprintf("%q: %d app roles, %d assignments", app.Name, len(app.Roles), rows))
	}
}

func (c *checker) checkTargets(ctx context.Context) {
	seen := map[string]bool{}
	for _, s := range c.worker.syncs {
		if ctx.Err() != nil {
			return
		}
		what := "target " + s.TargetName
		adapter, err := c.worker.target(s.TargetName, s)
		if err != nil {
			c.found(what, err, "")
			continue
		}
		if key := fmt.Sprintf("%p", adapter); seen[key] {
			continue
		} else {
			seen[key] = true
		}
		profile, err := adapter.Probe(ctx, s.Paths())
		if err != nil {
			c.found(what, err, "")
			continue
		}
		detail := profile.Name
		if detail == "" {
			detail = "answers"
		}
		for _, note := range profile.Notes {
			detail += "; " + note
		}
		if s.Groups.Enabled && !profile.Kinds[target.Group] {
			c.found(what, withHint(errors.New("it keeps no groups, but the sync provisions groups"), "set groups.enabled to false"), "")
			continue
		}
		c.found(what, nil, detail)
	}
}
