package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/snapshot"
)

// tenantCheckTime bounds the test of one tenant: a large one has hundreds of pages of assignments.
const tenantCheckTime = 2 * time.Minute

// tenants tests, for each tenant a sync reads, exactly the calls the syncs will make.
func (c *Checker) tenants(ctx context.Context, syncs []*compile.Sync) {
	var first []*compile.Sync // of each tenant
	seen := map[graphsync.ID]bool{}
	for _, s := range syncs {
		if !seen[s.Tenant] {
			seen[s.Tenant] = true
			first = append(first, s)
		}
	}
	c.each(ctx, len(first), cmp.Or(c.timeout, tenantCheckTime), func(ctx context.Context, i int, s *Section) { c.tenant(ctx, first[i], s) })
}

func (c *Checker) tenant(ctx context.Context, s *compile.Sync, out *Section) {
	what := "tenant " + s.TenantName
	source, err := c.worker.Source(s)
	if err != nil {
		out.Fail(what, err)
		return
	}
	held, err := source.Permissions(ctx)
	out.test(what+", token", err, "issued")
	if err != nil {
		return
	}
	tenantSyncs, _ := c.worker.TenantSyncs(s.Tenant)
	needs := reconcile.RequirementsOf(tenantSyncs)
	needs.GroupNotices = c.worker.Config.NotificationsOf(s.Section).Groups
	hidden := hiddenGroups(ctx, source, needs, tenantSyncs)
	checkPermissions(what+", permissions", needs, held, hidden, out)
	c.credential(ctx, what+", credential", s, source, out)
	page, err := source.DeltaPage(ctx, graphsync.Users, needs.UserProperties, "")
	out.test(what+", users", err, pageDetail(page))
	if len(needs.GroupProperties) > 0 {
		page, err := source.DeltaPage(ctx, graphsync.Groups, needs.GroupProperties, "")
		out.test(what+", groups", err, pageDetail(page))
	}
	if needs.Organization {
		checkDefaultDomain(ctx, what+", default domain", source, out)
	}
	if needs.App {
		c.application(ctx, what+", enterprise application", source, tenantSyncs, out)
	}
}

// checkPermissions compares the permissions of the token with those the configuration needs.
func checkPermissions(what string, needs snapshot.Requirements, held []string, hidden hiddenMembers, out *Section) {
	needed := needs.Permissions()
	if len(hidden.groups) > 0 {
		needed = append(needed, graphsync.HiddenMembers)
	}
	missing, superfluous := graphsync.ComparePermissions(needed, held)
	if !hidden.complete { // a group that was not looked at may need it
		superfluous = slices.DeleteFunc(superfluous, func(name string) bool { return name == graphsync.HiddenMembers })
	}
	dates := slices.ContainsFunc(needs.UserProperties, func(name string) bool { return strings.EqualFold(name, "employeeHireDate") })
	const lifecycle = "User-LifeCycleInfo.Read.All"
	if dates {
		superfluous = slices.DeleteFunc(superfluous, func(name string) bool { return strings.HasPrefix(name, "User-LifeCycleInfo.") })
	}
	if len(missing) > 0 {
		text := "missing: " + strings.Join(missing, ", ")
		for _, property := range needs.UserProperties {
			if need := graphsync.PropertyPermission(property); slices.Contains(missing, need) {
				text += fmt.Sprintf("; %s is null for everybody without %s", property, need)
			}
		}
		if slices.Contains(missing, graphsync.HiddenMembers) {
			text += fmt.Sprintf("; without %s the members of %s are left out, because their membership is hidden", graphsync.HiddenMembers, strings.Join(hidden.groups, ", "))
		}
		out.Fail(what, advice.With(errors.New(text),
			"app registration, API permissions: add them as application permissions of Microsoft Graph, then grant admin consent"))
		return
	}
	out.Pass(what, "%s", strings.Join(needed, ", "))
	if lacking, _ := graphsync.ComparePermissions([]string{lifecycle}, held); dates && len(lacking) > 0 {
		out.warn(what, "employeeHireDate may come back null for everybody without "+lifecycle, "grant it if no user has a hire date")
	}
	if doubt := hidden.doubt(held); doubt != "" {
		out.warn(what, doubt, "entrasync sync names each group that needs it (hidden_members)")
	}
	if len(superfluous) > 0 {
		out.warn(what, "not needed: "+strings.Join(superfluous, ", "), "take them away in the app registration, API permissions")
	}
}

// checkDefaultDomain reads what DefaultDomain() will be.
func checkDefaultDomain(ctx context.Context, what string, source graphsync.Source, out *Section) {
	organization, err := source.Organization(ctx)
	if err == nil && organization.DefaultDomain == "" {
		err = errors.New("no default domain is named by Graph, so that DefaultDomain() has no value and users who need it are skipped")
	}
	out.test(what, err, organization.DefaultDomain+" is what DefaultDomain() stands for")
}

// credential reports when the credential ends.
func (c *Checker) credential(ctx context.Context, what string, s *compile.Sync, source graphsync.Source, out *Section) {
	now := time.Now()
	ends := c.worker.CredentialOf(ctx, s, source, now).Ends
	switch soon := worker.EndWarning(ends, now); {
	case soon != "":
		out.warn(what, soon, "")
	case ends.IsZero():
		out.Pass(what, "accepted; its end is not known (a client secret's stands in the app registration; client_secret_expires may say it)")
	default:
		out.Pass(what, "good until %s", ends.Format(time.DateOnly))
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

// application reads each enterprise application whose assignments count, and compares its app roles
// with those the configuration names.
func (c *Checker) application(ctx context.Context, what string, source graphsync.Source, tenantSyncs []*reconcile.Sync, out *Section) {
	apps := map[string]*graphsync.App{}
	for _, s := range tenantSyncs {
		app, seen := apps[s.AppID]
		if !seen {
			app = testApplication(ctx, what, source, s.AppID, out)
			apps[s.AppID] = app
		}
		if app != nil {
			c.roles.set(s, app.Roles)
			for _, message := range s.RoleWarnings(app.Roles) {
				out.warn("sync "+s.Name+", app roles of "+app.Name, message, "")
			}
		}
	}
}

// appRoles are the app roles that the tests of tenants read, by sync and tenant: the tests of targets
// compare what they lead to with what an application accepts.
type appRoles struct {
	mu sync.Mutex // guards by
	by map[string][]graphsync.AppRole
}

func appRolesKey(s *reconcile.Sync) string { return s.Name + "\x00" + s.Tenant.String() }

func (r *appRoles) set(s *reconcile.Sync, roles []graphsync.AppRole) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[string][]graphsync.AppRole{}
	}
	r.by[appRolesKey(s)] = roles
}

// of returns nil for a sync whose tenant could not be read, or was not.
func (r *appRoles) of(s *reconcile.Sync) []graphsync.AppRole {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.by[appRolesKey(s)]
}

// testApplication returns nil when the application cannot be read.
func testApplication(ctx context.Context, what string, source graphsync.Source, appID string, out *Section) *graphsync.App {
	app, err := source.App(ctx, appID)
	if err == nil && !app.Enabled {
		err = advice.With(fmt.Errorf("%q is disabled for sign-in", app.Name), "Enterprise applications, Properties: \"Enabled for users to sign-in\"")
	}
	if err != nil {
		out.Fail(what, err)
		return nil
	}
	rows := 0
	_, err = source.Assignments(ctx, app.ID, func(page []graphsync.Assignment) error { rows += len(page); return nil })
	out.test(what, err, fmt.Sprintf("%q: %s, %s", app.Name, words.Count(len(app.Roles), "app role", "app roles"), words.Count(rows, "assignment", "assignments")))
	if err != nil && !errors.Is(err, graphsync.ErrIncomplete) {
		return nil
	}
	return app
}
