package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/consentweb"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/state"
)

// serveConsent serves the consent pages until ctx ends, where the configuration has them.
func (s *Service) serveConsent(ctx context.Context) error {
	cfg := s.worker.Load().Config
	section := cfg.Consent
	if section == nil {
		return nil
	}
	if _, err := ConsentSettings(cfg, graphsync.ID{}); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", section.Listen)
	if err != nil {
		return advice.With(fmt.Errorf("serve the consent pages: %w", err), "name another address in consent.listen")
	}
	consent := consentweb.New(consentweb.Server{
		Store: s.worker.Load().Store, Log: s.log, Prove: s.prove, SignIn: s.signIn, Join: s.join, Syncs: s.pages.consentSyncs,
		Notifications: notificationsOf(s.early.subscriptions.Handler(), s.options.PagesOnly),
		Settings: func(tenant graphsync.ID) (consentweb.Settings, bool) {
			settings, err := ConsentSettings(s.worker.Load().Config, tenant)
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

// notificationsOf takes the change notifications of Graph with a handler. A process that runs no cycles confirms the address of a new
// subscription, and refuses notifications so that Graph repeats them until they reach a worker.
func notificationsOf(handler http.Handler, pagesOnly bool) http.Handler {
	if !pagesOnly {
		return handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("validationToken") {
			handler.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", "5")
		http.Error(w, "this process runs no cycles", http.StatusServiceUnavailable)
	})
}

// ConsentSettings returns what the links for a tenant are made of; the zero id stands for a tenant that is
// not known yet. It fails where the configuration has no consent pages or no app.
func ConsentSettings(cfg *configs.Config, id graphsync.ID) (settings consentweb.Settings, err error) {
	if cfg.Consent == nil {
		return settings, advice.With(errors.New("the configuration has no pages on which to consent"), "add the section consent with public_url")
	}
	tenant := worker.TenantOf(cfg, id)
	app := cfg.AppOf(tenant)
	if app == nil {
		return settings, advice.With(errors.New("the consent pages have no app to consent to"), "add the section app with client_id and a credential")
	}
	settings = consentweb.Settings{ClientID: app.ClientID, PublicURL: cfg.Consent.PublicURL, SignIn: cfg.Consent.SignIn}
	settings.Brand = brandOf(cfg.Consent)
	for _, text := range cfg.Consent.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return settings, fmt.Errorf("consent.trusted_proxies: %w", err) // configs has checked it
		}
		settings.Proxies = append(settings.Proxies, prefix)
	}
	settings.Cloud, err = worker.CloudOf(cfg.CloudOf(tenant))
	return settings, err
}

// brandOf is what the consent pages show of the vendor that an administrator connects to.
func brandOf(section *configs.Consent) consentweb.Brand {
	brand := consentweb.Brand{Name: section.Name, Support: section.SupportURL, Privacy: section.PrivacyURL}
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

// proofPatience is how long one proof may repeat a request; the whole is repeated anyway.
const proofPatience = 5 * time.Second

// prove reads a tenant's name with a token of its own, which must carry every permission that
// the syncs of consented tenants need. Each proof has a new source and so a new token.
func (s *Service) prove(ctx context.Context, id graphsync.ID) (none graphsync.Organization, err error) {
	w := s.worker.Load()
	connection, err := w.Directories.Connect(id)
	if err != nil {
		return none, err
	}
	connection.MaxElapsed = proofPatience
	source, err := w.Directories.Prove(connection)
	if err != nil {
		return none, err
	}
	held, err := source.Permissions(ctx)
	if err != nil {
		return none, err
	}
	needs, err := w.ConsentNeeds(id)
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

// signIn redeems the code of a sign-in.
func (s *Service) signIn(ctx context.Context, tenant graphsync.ID, code, redirect, verifier string) (none graphsync.SignedIn, err error) {
	connection, err := s.worker.Load().Directories.Connect(tenant)
	if err != nil {
		return none, err
	}
	return s.options.SignIn(ctx, connection, code, redirect, verifier)
}

// join registers a proven tenant and has its first cycle run. One that is there already has its
// next cycle now: its consent may just have been renewed.
func (s *Service) join(ctx context.Context, organization graphsync.Organization, invitation state.Invitation) error {
	s.joining.Lock()
	defer s.joining.Unlock()
	known, err := s.worker.Load().Tenants.Admit(organization, invitation)
	if err != nil {
		return err
	}
	if err := s.applyTenantChanges(); err != nil {
		return err
	}
	if !known {
		return nil // a new job runs at once
	}
	for _, planned := range s.worker.Load().Syncs {
		if planned.Tenant == organization.ID && planned.Paused == "" {
			s.work.Go(func() { _ = s.scheduler.Trigger(ctx, jobName(planned), nil) }) // the cycle reports its own result
		}
	}
	return nil
}
