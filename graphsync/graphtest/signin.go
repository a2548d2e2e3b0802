package graphtest

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// signIn is the v2.0 authorization endpoint with response_type=code ("Microsoft identity
// platform and OAuth 2.0 authorization code flow", "OpenID Connect on the Microsoft identity
// platform"): a screen to choose who one is, which a browser that is signed in passes by.
func (bp browserPages) signIn(tenant string) *Response {
	link := bp.call.r.URL.Query()
	app, refusal := bp.linked(tenant, link, "client_id", "redirect_uri")
	if refusal != nil {
		return bp.refusal(trouble, refusal)
	}
	if refusal := codeRequest(link); refusal != nil {
		return bp.backWith(link, refusal)
	}
	switch bp.call.r.Method {
	case http.MethodGet, http.MethodHead:
		return bp.signInScreen(app, link)
	case http.MethodPost:
		who, accepted, refusal := bp.decision(bp.choices())
		switch {
		case refusal != nil:
			return bp.refusal(trouble, refusal)
		case !accepted:
			return bp.back(link, url.Values{"error": {"access_denied"}, "error_subcode": {"cancel"}})
		case !bp.admits(who):
			return bp.refusal(wrongAccount, bp.notOfTenant(app))
		}
		return bp.remember(who, bp.giveCode(app, link, who))
	}
	return tokenEndpoint(bp).deny(tokenEndpoint(bp).wrongMethod("GET, POST"))
}

// backWith leads back with an error.
func (bp browserPages) backWith(link url.Values, e *tokenError) *Response {
	return bp.back(link, url.Values{"error": {e.name}, "error_description": {tokenEndpoint(bp).describe(e)}})
}

var (
	// openIDScopes are those of OpenID Connect that Entra knows, offline_access aside
	// ("Scopes and permissions in the Microsoft identity platform").
	openIDScopes = []string{"openid", "profile", "email"}

	linkParameters = strings.Fields(`client_id response_type redirect_uri response_mode scope state nonce
		prompt login_hint domain_hint code_challenge code_challenge_method`)
)

// challengeSize is that of a SHA-256 sum in base64url.
const challengeSize = 43

// codeRequest checks a link to the authorization endpoint whose redirect URI can be trusted.
func codeRequest(link url.Values) *tokenError {
	malformed := func(format string, args ...any) *tokenError {
		return aadsts(9002313, "invalid_request", "Invalid request. Request is malformed or invalid: "+format, args...)
	}
	for _, name := range slices.Sorted(maps.Keys(link)) {
		if !slices.Contains(linkParameters, name) || len(link[name]) > 1 {
			return malformed("the parameter '%s' is unknown or repeated.", name)
		}
	}
	for _, required := range []string{"response_type", "scope"} {
		if link.Get(required) == "" {
			return missing(required)
		}
	}
	prompt, challenge, method := link.Get("prompt"), link.Get("code_challenge"), link.Get("code_challenge_method")
	switch mode := link.Get("response_mode"); {
	case link.Get("response_type") != "code":
		return aadsts(700054, "unsupported_response_type", "response_type '%s' is not enabled for the application.", link.Get("response_type"))
	case mode != "" && mode != "query":
		return malformed("the emulator offers no response_mode but query. Entra does.")
	case challenge == "" && method != "":
		return aadsts(50147, "invalid_request", "Missing code challenge parameter.")
	case challenge != "" && method != "S256":
		return malformed("the emulator offers no code_challenge_method but S256. Entra does.")
	case challenge != "" && len(challenge) != challengeSize:
		return aadsts(501491, "invalid_request", "Invalid size of Code_Challenge parameter.")
	case !slices.Contains([]string{"", "none", "login", "select_account"}, prompt):
		return aadsts(90023, "invalid_request", "Unsupported 'prompt' value.")
	case prompt == "select_account" && link.Get("login_hint") != "":
		return malformed("you can't use both login_hint and select_account.")
	}
	if !slices.Contains(strings.Fields(link.Get("scope")), "openid") {
		return aadsts(70011, "invalid_scope", "The provided value for the input parameter 'scope' is not valid. The emulator signs in with the scope 'openid' only, which is not in '%s'.", link.Get("scope"))
	}
	_, refusal := openIDScope(link.Get("scope"))
	return refusal
}

// openIDScope returns the scopes granted for those asked for.
func openIDScope(asked string) (string, *tokenError) {
	var granted []string
	for name := range strings.FieldsSeq(asked) {
		switch {
		case slices.Contains(openIDScopes, name):
			granted = append(granted, name)
		case name != "offline_access":
			return "", aadsts(70011, "invalid_scope", "The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", name)
		}
	}
	return strings.Join(granted, " "), nil
}

// signInScreen asks for the user, unless the user is known or prompt forbids to ask.
func (bp browserPages) signInScreen(app application, link url.Values) *Response {
	who, known := bp.signedIn()
	hint := link.Get("login_hint")
	if known && hint != "" && !strings.EqualFold(hint, who.username()) {
		known = false
	}
	switch prompt := link.Get("prompt"); {
	case prompt == "none" && (!known || !bp.admits(who)):
		return bp.backWith(link, aadsts(50058, "login_required", "A silent sign-in request was sent but no user is signed in."))
	case prompt == "" && known && !bp.admits(who):
		return bp.refusal(wrongAccount, bp.notOfTenant(app))
	case prompt == "none" || prompt == "" && known:
		return bp.giveCode(app, link, who)
	}
	name, domain, _ := strings.Cut(hint, "@")
	return bp.html(http.StatusOK, "signin", map[string]any{
		"App": app.Name, "Tenants": bp.choices(), "Accounts": accounts(),
		"Account": name, "Domain": cmp.Or(domain, link.Get("domain_hint")),
	})
}

// giveCode leads back with an authorization code, provided that the application is in the
// tenant: users cannot consent themselves here, an administrator does so on the consent screen.
func (bp browserPages) giveCode(app application, link url.Values, who identity) *Response {
	authority := "organizations"
	if bp.call.tenant != nil {
		authority = bp.call.tenant.ID().String()
	}
	bp.call.tenant = who.tenant
	bp.call.tenant.mu.Lock()
	p := bp.call.tenant.dir.findPrincipal("appId=" + app.ClientID)
	enabled := p != nil && p.enabled()
	bp.call.tenant.mu.Unlock()
	switch {
	case p == nil && link.Get("prompt") == "none":
		return bp.backWith(link, aadsts(65001, "interaction_required", "The user or administrator has not consented to use the application with ID '%s' named '%s'. Send an interactive authorization request for this user and resource.", app.ClientID, app.Name))
	case p == nil:
		return bp.refusal(needAdmin, adminOnly(app))
	case !enabled:
		return bp.refusal(trouble, appDisabled(&app))
	}
	return bp.back(link, url.Values{"code": {bp.call.s.codes.add(grant{
		who: who, clientID: app.ClientID, authority: authority, redirect: link.Get("redirect_uri"),
		scope: link.Get("scope"), nonce: link.Get("nonce"), challenge: link.Get("code_challenge"),
		ends: bp.call.now().Add(codeLifetime),
	})}})
}
