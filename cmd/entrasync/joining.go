package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/web"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/graphsync/msgraph"
	"entrasync/reconcile"
	"entrasync/state"
)

// invite serves the consent pages until ctx ends, where the configuration has them.
func (s *service) invite(ctx context.Context) error {
	cfg := s.worker.Load().cfg
	section := cfg.Consent
	if section == nil {
		return nil
	}
	if _, err := consentSettings(cfg, graphsync.ID{}); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", section.Listen)
	if err != nil {
		return withHint(fmt.Errorf("serve the consent pages: %w", err), "name another address in consent.listen")
	}
	consent := web.NewConsent(web.Consent{
		Store: s.store, Log: s.log, Prove: s.prove, SignIn: s.signIn, Join: s.join, Syncs: s.pages.syncs,
		Settings: func(tenant graphsync.ID) (web.ConsentSettings, bool) {
			settings, err := consentSettings(s.worker.Load().cfg, tenant)
			return settings, err == nil
		},
	})
	s.work.Go(func() { consent.Run(ctx) })
	s.work.Go(func() {
		if err := consent.Serve(ctx, listener); err != nil {
			s.log.Error("the consent pages have ended", "error", err)
		}
	})
	s.log.Info("consent pages are open", "listen", listener.Addr().String(), "url", section.PublicURL)
	return nil
}

// consentSettings are what the links of a tenant are made of; of the zero one, those of tenants
// that are not known yet. A configuration without pages or app has none.
func consentSettings(cfg *configs.Config, id graphsync.ID) (settings web.ConsentSettings, err error) {
	if cfg.Consent == nil {
		return settings, withHint(errors.New("the configuration has no pages on which to consent"), "add the section consent with public_url")
	}
	tenant := tenantOf(cfg, id)
	app := cfg.AppOf(tenant)
	if app == nil {
		return settings, withHint(errors.New("the consent pages have no app to consent to"), "add the section app with client_id and a credential")
	}
	settings = web.ConsentSettings{ClientID: app.ClientID, PublicURL: cfg.Consent.PublicURL, SignIn: cfg.Consent.SignIn}
	settings.Brand = brandOf(cfg.Consent)
	for _, text := range cfg.Consent.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return settings, fmt.Errorf("consent.trusted_proxies: %w", err) // configs has checked it
		}
		settings.Proxies = append(settings.Proxies, prefix)
	}
	settings.Cloud, err = cloudOf(cfg.CloudOf(tenant))
	return settings, err
}

// brandOf is what the consent pages show of whom an administrator connects to.
func brandOf(section *configs.Consent) web.Brand {
	brand := web.Brand{Name: section.Name, Support: section.SupportURL, Privacy: section.PrivacyURL}
	if file := section.LogoFile(); file != "" {
		brand.Logo = func() ([]byte, string, error) {
			logo, err := configs.ReadLogo(file)
			return logo.Data, logo.MediaType, err
		}
	} else {
		brand.LogoURL = section.Logo
	}
	return brand
}

// tenantOf is the section of a tenant: what the configuration says of it, or its id alone.
func tenantOf(cfg *configs.Config, id graphsync.ID) configs.Tenant {
	for _, section := range cfg.Tenants.All() {
		if section.ID == id.String() {
			return section
		}
	}
	return configs.Tenant{ID: id.String()}
}

// proofPatience is how long one proof may repeat a request; the whole is repeated anyway.
const proofPatience = 5 * time.Second

// prove reads a tenant's name with a token of its own, which must carry every permission that
// the syncs of consented tenants need. Each proof has a new source and so a new token.
func (s *service) prove(ctx context.Context, id graphsync.ID) (none graphsync.Organization, err error) {
	w := s.worker.Load()
	config, err := w.graphConfig(id)
	if err != nil {
		return none, err
	}
	config.Patience = proofPatience
	source, err := msgraph.Open(config)
	if err != nil {
		return none, err
	}
	held, err := source.Permissions(ctx)
	if err != nil {
		return none, err
	}
	needs, err := w.consentNeeds(id)
	if err != nil {
		return none, err
	}
	if missing, _ := graphsync.ComparePermissions(needs.Permissions(), held); len(missing) > 0 {
		class := graphsync.PermissionMissing
		if len(held) == 0 {
			class = graphsync.ConsentMissing
		}
		return none, &graphsync.Error{Class: class, Op: "consent", Message: "the consent does not include " + strings.Join(missing, ", "),
			Hint: "add it to the app registration as an application permission of Microsoft Graph"}
	}
	return source.Organization(ctx)
}

// graphConfig is how a tenant that may not be known is read.
func (w *worker) graphConfig(id graphsync.ID) (config msgraph.Config, err error) {
	tenant := tenantOf(w.cfg, id)
	config = msgraph.Config{Tenant: id, HTTP: w.toGraph(), UserAgent: "entrasync/" + versionText(), Log: w.log}
	if config.Cloud, err = cloudOf(w.cfg.CloudOf(tenant)); err != nil {
		return config, err
	}
	config.Credential, err = credentialOf(w.cfg.AppOf(tenant))
	return config, err
}

// signIn redeems the code of a sign-in.
func (s *service) signIn(ctx context.Context, tenant graphsync.ID, code, redirect, verifier string) (none graphsync.SignedIn, err error) {
	config, err := s.worker.Load().graphConfig(tenant)
	if err != nil {
		return none, err
	}
	return msgraph.SignIn(ctx, config, msgraph.Redemption{Code: code, Redirect: redirect, Verifier: verifier})
}

// consentNeeds is what the syncs of a tenant that joins will read.
func (w *worker) consentNeeds(id graphsync.ID) (reconcile.Needs, error) {
	syncs, _ := w.peers(id)
	for _, entry := range w.cfg.Syncs {
		if !entry.Value.From.Consented {
			continue
		}
		t, faults := compile.NewTemplate(w.cfg, entry)
		if err := faults.Err(); err != nil {
			return reconcile.Needs{}, err
		}
		syncs = append(syncs, t.Sync)
	}
	return reconcile.NeedsOf(syncs), nil
}

// join registers a proven tenant and has its first cycle run. One that is there already has its
// next cycle now: its consent may just have been renewed.
func (s *service) join(ctx context.Context, organization graphsync.Organization, invitation state.Invitation) error {
	s.joining.Lock()
	defer s.joining.Unlock()
	known, err := s.worker.Load().admit(organization, invitation)
	if err != nil {
		return err
	}
	if err := s.takeUp(); err != nil {
		return err
	}
	if !known {
		return nil // a new job runs at once
	}
	for _, planned := range s.worker.Load().syncs {
		if planned.Tenant == organization.ID && planned.Paused == "" {
			s.work.Go(func() { _ = s.scheduler.Trigger(ctx, jobName(planned), nil) }) // the cycle itself tells how it went
		}
	}
	return nil
}

// admit gives a proven tenant its place in the registry, and reports whether it had one.
func (w *worker) admit(organization graphsync.Organization, invitation state.Invitation) (known bool, err error) {
	if w.configures(organization.ID) {
		return true, nil
	}
	records, err := w.store.TenantRecords()
	if err != nil {
		return false, err
	}
	name := uniqueName(organization.Name, organization.ID, w.namesTaken(records))
	err = w.store.ChangeTenantRecord(organization.ID, func(r *state.TenantRecord) error {
		known = r.Origin == fromConsent && r.Removed.IsZero()
		switch {
		case known:
			return nil
		case !r.Removed.IsZero() && invitation.Tenant != organization.ID:
			// Its application may still have the consent of before: that alone, claimed by anyone
			// with a link, must not bring back a tenant that was removed.
			return &graphsync.Error{Class: graphsync.Policy, Op: "consent", Message: "your organization was connected before and has been taken out",
				Hint: "ask the person who sent the link for one that is made for your organization's tenant ID"}
		}
		*r = state.TenantRecord{
			ID: organization.ID, Name: name, Origin: fromConsent,
			State: active, Message: "no cycle has run yet", Note: cmp.Or(invitation.Note, organization.Name), Since: time.Now().UTC().Truncate(time.Second),
			Domains: strings.Join(organization.Domains, " "),
		}
		return nil
	})
	if err == nil && !known {
		w.log.Info("tenant joined by consent", "tenant", name, "id", organization.ID, "organization", organization.Name, "note", invitation.Note)
	}
	return known, err
}

// uniqueName makes a tenant's name of its organization's, fit for file names and addresses, and
// not to be taken for another tenant's name or id.
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
