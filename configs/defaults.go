package configs

import (
	"path/filepath"
	"slices"
	"time"
)

// All defaults are here. Each section sets its own before its keys are decoded.

// DefaultState is where the state is when neither the file nor $STATE_DIRECTORY says so.
const DefaultState = "/var/lib/entrasync"

// SetDefaults sets what an empty file means.
func (c *Config) SetDefaults() {
	c.State = State{Dir: DefaultState}
	c.Schedule = "@every 30m"
	c.FullCycle = "CRON_TZ=UTC 0 3 * * 0"
	c.History = Expiry(400 * 24 * time.Hour) // a year and the weeks in which it is asked about
	c.Cloud = Cloud{Name: "public"}
	c.HTTP.SetDefaults()
}

// SetDefaults keeps the status page on this machine.
func (h *HTTP) SetDefaults() { h.Listen = "127.0.0.1:8417" }

// SetDefaults serves the consent pages on all addresses, as customers must reach them, and has an
// administrator sign in where a link does not say who may use it.
func (c *Consent) SetDefaults() { c.Listen, c.SignIn = "0.0.0.0:8418", true }

// SetDefaults fills the sections a sync may leave out.
func (s *Sync) SetDefaults() {
	s.Scope.SetDefaults()
	s.Users.SetDefaults()
	s.Groups.SetDefaults()
	s.Guard.SetDefaults()
	s.Quarantine.SetDefaults()
}

// SetDefaults groups the events of a minute.
func (n *Notify) SetDefaults() { n.Window = time.Minute }

// SetDefaults waits as long as Graph has said that notifications take at most.
func (n *Notifications) SetDefaults() { n.ExpectWithin = 15 * time.Minute }

// SetDefaults encrypts mail.
func (c *Channel) SetDefaults() { c.TLS = "starttls" }

// SetDefaults keeps a gigabyte.
func (a *Audit) SetDefaults() { a.Format, a.MaxSize, a.Keep = "jsonl", 100<<20, 10 }

// SetDefaults keeps a week of nights.
func (b *Backup) SetDefaults() { b.Schedule, b.Keep = "CRON_TZ=UTC 0 2 * * *", 7 }

// SetDefaults takes those assigned, guests too, as Entra does.
func (s *Scope) SetDefaults() {
	s.Users = "assigned"
	s.IncludeGuests = true
}

// SetDefaults allows all but deletion.
func (u *Users) SetDefaults() {
	u.Actions = []string{"create", "update", "deactivate", "reactivate"}
	u.OnRemove = OnRemove{Action: "deactivate"}
}

// SetDefaults leaves groups off, and what exists in the target alone.
func (g *Groups) SetDefaults() {
	g.Source = GroupSource{Kind: "assigned"}
	g.Actions = []string{"create", "update"}
	g.Takeover = "hold"
}

// SetDefaults reports what a table of roles does not answer.
func (m *MappingRoles) SetDefaults() { m.NoValue, m.NoMatch, m.Several = "error", "error", "error" }

// SetDefaults sets limits that ordinary cycles stay below.
func (g *Guard) SetDefaults() {
	g.Removals = Limit{Count: new(25), Percent: new(Percent(10))}
	g.Creations = Limit{Count: new(1000)}
	g.Updates = Limit{Percent: new(Percent(50))}
	g.MembersRemoved = Limit{Percent: new(Percent(30))}
	g.Lost = Limit{Percent: new(Percent(10))}
	g.FirstRunRemovals = "hold"
	g.GuestAddresses = "hold"
	g.Identity = Limit{Count: new(5), Percent: new(Percent(10))}
	g.RemovalsPerDay = Limit{Count: new(100), Percent: new(Percent(20))}
	g.Skipped.SetDefaults()
}

// SetDefaults finds it no success when most of a scope is skipped.
func (s *Share) SetDefaults() { s.Percent, s.OfAtLeast = new(Percent(50)), 20 }

// SetDefaults does so for the long form too.
func (s *shareNumbers) SetDefaults() { (*Share)(s).SetDefaults() }

// SetDefaults pauses a sync in which most records fail.
func (q *Quarantine) SetDefaults() { q.Failures, q.OfAtLeast = 60, 20 }

// SetDefaults writes a value whenever it differs, and never clears one.
func (a *Attribute) SetDefaults() { a.Apply, a.OnNull, a.Owner = "always", "keep", "sync" }

// SetDefaults does so for the long form too.
func (a *attributeOptions) SetDefaults() { (*Attribute)(a).SetDefaults() }

// matchDefaults takes the usual matching attributes as far as they are mapped.
func matchDefaults(attributes Map[Attribute], usual ...string) []Text {
	var match []Text
	for _, e := range attributes {
		if slices.Contains(usual, e.Name) {
			match = append(match, Text{Value: e.Name, Pos: e.Pos})
		}
	}
	slices.SortStableFunc(match, func(a, b Text) int {
		return slices.Index(usual, a.Value) - slices.Index(usual, b.Value)
	})
	return match
}

// complete fills in defaults that depend on other keys or on the environment.
func (c *Config) complete(given *node, lookupEnv func(string) (string, bool)) {
	if dirs, _ := lookupEnv("STATE_DIRECTORY"); !placed(given) && dirs != "" {
		c.State.Dir = filepath.SplitList(dirs)[0] // systemd gives several, separated by colons
	}
	if c.Consent != nil && given.find([]string{"consent"}).get("sign_in") == nil && c.App != nil && c.App.ManagedIdentity != nil {
		c.Consent.SignIn = false // it cannot redeem one: links are made with --tenant
	}
	for i := range c.Syncs {
		s := &c.Syncs[i].Value
		if s.Users.Match == nil {
			s.Users.Match = matchDefaults(s.Users.Attributes, "externalId", "userName")
		}
		if s.Groups.Match == nil {
			s.Groups.Match = matchDefaults(s.Groups.Attributes, "externalId", "displayName")
		}
	}
}
