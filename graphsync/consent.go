package graphsync

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"regexp"
	"strconv"
)

// A ConsentRequest asks an administrator of a tenant to consent to an app's application
// permissions.
type ConsentRequest struct {
	Tenant   ID // zero for any organization
	ClientID string
	Redirect string // where the browser comes back to, as registered with the app
	State    string // comes back unchanged
}

// ConsentURL returns the address of Entra's admin consent page ("Admin consent on the Microsoft
// identity platform", v2.0). It asks for all that the app registration lists.
func (c Cloud) ConsentURL(r ConsentRequest) string {
	tenant := "organizations" // the endpoint knows no "common"
	if !r.Tenant.IsZero() {
		tenant = r.Tenant.String()
	}
	return c.Authority + "/" + tenant + "/v2.0/adminconsent?" + url.Values{
		"client_id":    {r.ClientID},
		"scope":        {c.Scope()},
		"redirect_uri": {r.Redirect},
		"state":        {r.State},
	}.Encode()
}

// A ConsentResponse is what a browser brings back from the admin consent page. Nothing in it is
// proven: anyone can make such an address.
type ConsentResponse struct {
	State  string
	Tenant ID     // zero when there is none
	Err    *Error // why there is no consent; nil when the answer claims there is
}

// oauthCode is what an error code is made of (RFC 6749 section 4.1.2.1 lists them).
var oauthCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// ReadConsentResponse reads the parameters of the address that the browser came back to. An error
// among them counts before anything else: admin_consent=True is sent with errors too.
func ReadConsentResponse(query url.Values) ConsentResponse {
	response := ConsentResponse{State: query.Get("state")}
	refused := func(class Class, message, hint string) ConsentResponse {
		response.Err = &Error{Class: class, Op: "adminconsent", Code: quote(query.Get("error")), Message: message, Hint: hint}
		return response
	}
	const administrator = "have the link opened by a Global Administrator or a Privileged Role Administrator; other administrators cannot consent to these permissions"
	if code := query.Get("error"); code != "" {
		number := 0
		if m := aadstsNumber.FindStringSubmatch(query.Get("error_description")); m != nil {
			number, _ = strconv.Atoi(m[1])
		}
		known, ok := explainAADSTS(number)
		switch {
		case number == 90094 || number == 90093:
			return refused(ConsentMissing, "the account may not consent for the organization", administrator)
		case code == "access_denied" || number == 65004:
			return refused(ConsentMissing, "the consent was declined", "open the link again and accept, as a Global Administrator or a Privileged Role Administrator")
		case ok:
			return refused(known.class, known.message, known.hint)
		}
		hint := "open the link again; if that does not help, tell the person who sent it"
		if oauthCode.MatchString(code) { // anything else would be a visitor's own words on our page
			hint += " the code " + code
		}
		return refused(ConsentMissing, "Microsoft Entra did not give the consent", hint)
	}
	tenant, err := ParseID(query.Get("tenant"))
	switch {
	case err != nil || tenant.IsZero():
		return refused(BadResponse, "the answer names no tenant", "open the link again")
	case query.Get("admin_consent") != "True" && query.Get("admin_consent") != "true":
		return refused(BadResponse, "the response reports no consent", "open the link again")
	}
	response.Tenant = tenant
	return response
}

// A SignInRequest asks a user to sign in at a tenant (authorization code flow with PKCE, "Microsoft
// identity platform and OAuth 2.0 authorization code flow"). The answer proves who is at the browser.
type SignInRequest struct {
	Tenant   ID
	ClientID string
	Redirect string // where the browser comes back to, as registered with the app
	State    string // comes back unchanged
	Nonce    string // stands in the ID token
	Verifier string // of PKCE: 43 to 128 characters that only the asker knows
}

// SignInURL returns the address of the tenant's sign-in page. A user who has just consented there is
// led back without being asked again.
func (c Cloud) SignInURL(r SignInRequest) string {
	challenge := sha256.Sum256([]byte(r.Verifier))
	return c.Authority + "/" + r.Tenant.String() + "/oauth2/v2.0/authorize?" + url.Values{
		"client_id":             {r.ClientID},
		"response_type":         {"code"},
		"response_mode":         {"query"},
		"scope":                 {"openid profile"},
		"redirect_uri":          {r.Redirect},
		"state":                 {r.State},
		"nonce":                 {r.Nonce},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}.Encode()
}

// A SignedIn person is what an ID token says of who signed in.
type SignedIn struct {
	Tenant   ID
	Nonce    string
	Username string // preferred_username: for people to read, and no identity
}

// ReadSignInResponse reads what a browser brings back from the sign-in page: a code to redeem, or why
// there is none.
func ReadSignInResponse(query url.Values) (code string, err *Error) {
	refusal := query.Get("error")
	if refusal == "" && query.Get("code") != "" {
		return query.Get("code"), nil
	}
	e := &Error{Class: ConsentMissing, Op: "authorize", Message: "the sign-in was not completed", Hint: "open the link again and sign in with the account that gives the consent"}
	if oauthCode.MatchString(refusal) {
		e.Code = refusal
	}
	if m := aadstsNumber.FindStringSubmatch(query.Get("error_description")); m != nil {
		number, _ := strconv.Atoi(m[1])
		if x, known := explainAADSTS(number); known {
			e.Class, e.Message, e.Hint = x.class, x.message, x.hint
		}
	}
	return "", e
}
