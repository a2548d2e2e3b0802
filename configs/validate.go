package configs

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A validator checks the rules that concern several keys.
type validator struct {
	*Config
	faults *Faults
}

// fault reports at a path of keys.
func (v *validator) fault(path []string, hint, format string, args ...any) {
	v.faults.add(v.Position(path...), strings.Join(path, "."), hint, format, args...)
}

func path(keys ...string) []string { return keys }

// Names stand in commands, file names and addresses.
const namePattern = `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`

var validName = regexp.MustCompile(namePattern)

func (v *validator) config() {
	v.names("tenants", v.Tenants.Names())
	v.names("targets", v.Targets.Names())
	v.names("syncs", v.Syncs.Names())
	if v.App != nil {
		v.app(v.App, "app")
	}
	v.http()
	v.consent()
	v.tenants()
	v.notifications()
	for _, e := range v.Syncs {
		v.sync(e.Name, e.Value)
	}
}

func (v *validator) names(section string, names []string) {
	for _, name := range names {
		if at := v.root.get(section).get(name).key; !validName.MatchString(name) {
			v.faults.add(at, section+"."+name, "use up to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit",
				"%s cannot be the name of one of the %s", quote(name), section)
		} else if section == "tenants" && name == consented {
			v.faults.add(at, section+"."+name, "choose another name", "%s means every tenant that joins by consent", consented)
		}
	}
}

func (v *validator) app(a *App, keys ...string) {
	key := strings.Join(keys, ".")
	hasCredential := !a.ClientSecret.IsZero() || !a.Certificate.IsZero() || a.WorkloadIdentity != nil || a.ManagedIdentity != nil
	if !hasCredential {
		v.fault(keys, "give client_secret_file, certificate_file, workload_identity or managed_identity", "%s has no credential", key)
	}
	if a.ClientID == "" && a.ManagedIdentity == nil && v.root.find(keys).get("client_id") == nil {
		v.fault(keys, "it is the Application (client) ID in the portal", "%s.client_id is missing", key)
	}
	if !a.CertificatePassword.IsZero() && a.Certificate.IsZero() {
		v.fault(keys, "", "%s.certificate_password is given without a certificate", key)
	}
	if a.ClientSecretExpires != "" && a.ClientSecret.IsZero() {
		v.fault(keys, "", "%s.client_secret_expires is given without a client secret", key)
	}
}

func (v *validator) http() {
	host, _, err := net.SplitHostPort(v.HTTP.Listen)
	if err == nil && !loopback(host) && v.HTTP.Token.IsZero() && v.HTTP.Basic == nil {
		v.fault(path("http", "listen"), "listen on 127.0.0.1, or give http.token_file or http.basic",
			"http.listen lets other machines see the status page without a credential")
	}
	if token := v.HTTP.Token; token.inline != nil && token.tooShort(*token.inline) {
		v.fault(path("http", "token"), "make one: openssl rand -base64 32", "http.token has fewer than %d characters, and could be guessed", minToken)
	}
}

func (v *validator) consent() {
	if v.Consent != nil {
		v.branding()
	}
	if v.Consent != nil && v.Consent.SignIn && v.App != nil && v.App.ManagedIdentity != nil {
		v.fault(path("consent", "sign_in"), "give the app a client secret, a certificate or a workload identity; or set consent.sign_in: false and make links with --tenant", "consent.sign_in needs another credential than a managed identity")
	}
}

// notifications need an address at which Graph reaches the worker.
func (v *validator) notifications() {
	check := func(n *Notifications, keys ...string) {
		switch {
		case n == nil:
		case (n.Users || n.Groups) && v.Consent == nil && v.root.get("consent") == nil:
			v.fault(keys, "add the section consent with public_url, an https address that Graph reaches", "%s needs a public address to receive notifications at", strings.Join(keys, "."))
		case n.ExpectWithin < time.Second:
			v.fault(append(keys, "expect_within"), "write a time such as 15m", "%s.expect_within must be at least 1s", strings.Join(keys, "."))
		}
	}
	check(v.Notifications, "notifications")
	for _, e := range v.Tenants {
		check(e.Value.Notifications, "tenants", e.Name, "notifications")
	}
}

func (v *validator) tenants() {
	ids := map[string]string{}
	for _, e := range v.Tenants {
		if other, ok := ids[e.Value.ID]; ok && e.Value.ID != "" {
			v.fault(path("tenants", e.Name, "id"), "", "tenants %s and %s have the same id", other, e.Name)
		}
		ids[e.Value.ID] = e.Name
		switch {
		case e.Value.App != nil:
			v.app(e.Value.App, "tenants", e.Name, "app")
		case v.App == nil && v.root.get("app") == nil:
			v.fault(path("tenants", e.Name), "add the section app with client_id and a credential", "tenant %s has no app to read it with", e.Name)
		}
	}
}

func (v *validator) sync(name string, s Sync) {
	key := path("syncs", name)
	v.from(name, s)
	if targets := v.Targets.Names(); s.To.Value != "" && v.readable("targets") && !slices.Contains(targets, s.To.Value) {
		v.fault(append(key, "to"), didYouMean(s.To.Value, targets, "the targets are"),
			"syncs.%s.to names no target: there is no %s", name, quote(s.To.Value))
	}
	v.users(name, s.Users)
	v.groups(name, s.Groups)
	v.domains(append(key, "guard", "domains"), s.Guard.Domains)
	v.appID(name, s)
}

// A domain is what stands behind the @ of an address.
var validDomain = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$`)

// domains are compared with those of addresses, so that a pattern would never fit.
func (v *validator) domains(key []string, domains []Text) {
	if domains != nil && len(domains) == 0 {
		v.fault(key, "name the tenant's domains, or leave it out", "%s is empty", strings.Join(key, "."))
	}
	for _, domain := range domains {
		if filled := strings.ReplaceAll(domain.Value, "{tenant}", "tenant"); domain.Value != "" && !validDomain.MatchString(filled) {
			v.faults.add(domain.Pos, strings.Join(key, "."), "write what stands behind the @, such as contoso.example", "%s is not a domain", quote(domain.Value))
		}
	}
}

// readable tells a section without names from one that could not be read: that is one fault, not
// many.
func (v *validator) readable(key string) bool {
	n := v.root.get(key)
	return n == nil || n.kind == section
}

func (v *validator) from(name string, s Sync) {
	tenants := v.Tenants.Names()
	seen := map[string]bool{}
	for _, t := range s.From.Tenants {
		switch {
		case t.Value == "" || !v.readable("tenants"):
		case t.Value == consented:
			v.faults.add(t.Pos, "syncs."+name+".from", "write from: consented, and another sync for the tenants by name",
				"consented cannot stand in a list")
		case !slices.Contains(tenants, t.Value):
			v.faults.add(t.Pos, "syncs."+name+".from", didYouMean(t.Value, append(tenants, consented), "the tenants are"),
				"syncs.%s.from names no tenant: there is no %s", name, quote(t.Value))
		case seen[t.Value]:
			v.faults.add(t.Pos, "syncs."+name+".from", "", "tenant %s is given twice", t.Value)
		}
		seen[t.Value] = true
	}
	if !s.From.Consented {
		return
	}
	if v.Consent == nil && v.root.get("consent") == nil {
		v.fault(path("syncs", name, "from"), "add the section consent with public_url", "from: consented needs pages on which administrators consent")
	}
	if v.App == nil && v.root.get("app") == nil {
		v.fault(path("syncs", name, "from"), "add the section app with client_id and a credential", "from: consented needs an app to which administrators consent")
	}
}

// appID makes sure that "assigned" has an application to be assigned to.
func (v *validator) appID(name string, s Sync) {
	if s.Scope.AppID != "" || s.Scope.Users != "assigned" {
		return
	}
	for _, t := range s.From.Tenants {
		tenant, ok := v.Tenants.Get(t.Value)
		if app := v.AppOf(tenant); ok && app != nil && app.ClientID == "" && app.ManagedIdentity != nil {
			v.fault(path("syncs", name, "scope"), "give scope.app_id, the client ID of the enterprise application",
				"syncs.%s provisions those assigned, but a managed identity has no application to be assigned to", name)
			return
		}
	}
}

func (v *validator) users(name string, u Users) {
	key := path("syncs", name, "users")
	v.attributes(u.Attributes, append(key, "attributes"))
	v.match(u.Match, u.Attributes, key, "externalId or userName", "")
	v.removal(key, "on_remove", u.OnRemove, u.Actions)
	v.removal(key, "on_unassign", u.OnUnassign, u.Actions)
	v.removal(key, "on_delete", u.OnDelete, u.Actions)
	if u.MappingRoles != nil {
		v.mappingRoles(*u.MappingRoles, u.Attributes, append(key, "mapping_roles"))
	}
}

// removal checks that what happens to the accounts of leavers is among the actions of the sync.
func (v *validator) removal(users []string, name string, r OnRemove, actions []string) {
	written := v.root.find(users).get(name)
	if written == nil || r.Action == "" || r.Action == "nothing" || slices.Contains(actions, r.Action) {
		return
	}
	v.faults.add(v.root.find(append(users, name)).pos, strings.Join(users, ".")+"."+name, fmt.Sprintf("add %s to actions", r.Action),
		"%s asks for %s, which actions does not allow", name, r.Action)
}

func (v *validator) groups(name string, g Groups) {
	key := path("syncs", name, "groups")
	v.attributes(g.Attributes, append(key, "attributes"))
	if g.Enabled && len(g.Attributes) == 0 {
		v.fault(key, `such as displayName: "[displayName]"`, "%s.attributes is missing", strings.Join(key, "."))
		return
	}
	if g.Enabled || len(g.Match) > 0 {
		v.match(g.Match, g.Attributes, key, "externalId or displayName", "externalId")
	}
}

func (v *validator) match(match []Text, attributes Map[Attribute], key []string, usual, implied string) {
	if len(match) == 0 && len(attributes) > 0 {
		v.fault(append(key, "match"), "map "+usual+", or name other matching attributes",
			"%s.match names no attribute, so no account could be matched", strings.Join(key, "."))
	}
	seen := map[string]bool{}
	for _, m := range match {
		switch {
		case m.Value == "":
		case seen[m.Value]:
			v.faults.add(m.Pos, strings.Join(key, ".")+".match", "", "%s is given twice", m.Value)
		case m.Value == implied: // compared with the object ID, not written
		case !slices.Contains(attributes.Names(), m.Value):
			v.faults.add(m.Pos, strings.Join(key, ".")+".match", didYouMean(m.Value, attributes.Names(), "those mapped are"),
				"the matching attribute %s has no mapping under attributes", quote(m.Value))
		}
		seen[m.Value] = true
	}
}

func (v *validator) attributes(attributes Map[Attribute], key []string) {
	for _, e := range attributes {
		a, at := e.Value, append(slices.Clone(key), e.Name)
		name := strings.Join(at, ".")
		if a.OnNull == "default" && a.Default == nil {
			v.fault(append(at, "on_null"), "add default", "%s.on_null is default, but there is none", name)
		}
		if a.Default != nil && len(a.Allowed) > 0 && !a.namesTenant() && !a.takes(a.Default.Value) {
			v.faults.add(a.Default.Pos, name+".default", didYouMean(a.Default.Value, values(a.Allowed), "those allowed are"),
				"the default %s is not among those allowed", quote(a.Default.Value))
		}
	}
}

// namesTenant reports whether {tenant} stands in a value, so that which values there are is known
// per tenant only.
func (a Attribute) namesTenant() bool {
	texts := append(values(a.Allowed), a.Default.Value)
	for name, alias := range a.Aliases.All() {
		texts = append(texts, name, alias.Value)
	}
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, "{tenant}") })
}

// takes reports whether a value is allowed, as it is or through an alias.
func (a Attribute) takes(value string) bool {
	allowed := values(a.Allowed)
	if alias, ok := a.Aliases.Get(value); ok && slices.Contains(allowed, alias.Value) {
		return true
	}
	return slices.Contains(allowed, value)
}

func values(texts []Text) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = t.Value
	}
	return out
}

func (v *validator) mappingRoles(m MappingRoles, attributes Map[Attribute], key []string) {
	if at := slices.IndexFunc(attributes, func(e Entry[Attribute]) bool { return e.Name == m.To.Value }); at >= 0 {
		v.faults.add(m.To.Pos, strings.Join(key, ".")+".to", "remove one of them", "%s has an attribute mapping too", m.To.Value)
	}
	for _, role := range m.Roles {
		scopes := map[string]string{}
		for _, scope := range role.Value {
			folded := strings.ToLower(strings.TrimSpace(scope.Name))
			if first, ok := scopes[folded]; ok {
				v.faults.add(scope.Pos, strings.Join(append(key, "roles", role.Name, scope.Name), "."), "give the roles of a scope in one list",
					"mapping role %s has the scope %s twice, first as %s", role.Name, scope.Name, first)
			}
			scopes[folded] = scope.Name
		}
	}
}
