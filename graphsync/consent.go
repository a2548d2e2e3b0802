package graphsync

import (
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

// A ConsentAnswer is what a browser brings back from the admin consent page. Nothing in it is
// proven: anybody can make such an address.
type ConsentAnswer struct {
	State  string
	Tenant ID     // zero when there is none
	Err    *Error // why there is no consent; nil when the answer claims there is
}

// oauthCode is what an error code is made of (RFC 6749 section 4.1.2.1 lists them).
var oauthCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// ReadConsentAnswer reads the parameters of the address that the browser came back to. An error
// among them counts before anything else: admin_consent=True is sent with errors too.
func ReadConsentAnswer(query url.Values) ConsentAnswer {
	answer := ConsentAnswer{State: query.Get("state")}
	refused := func(class Class, message, hint string) ConsentAnswer {
		answer.Err = &Error{Class: class, Op: "adminconsent", Code: quote(query.Get("error")), Message: message, Hint: hint}
		return answer
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
		hint := "open the link again; if it stays, tell whoever sent it"
		if oauthCode.MatchString(code) { // anything else would be somebody's own words on our page
			hint += " the code " + code
		}
		return refused(ConsentMissing, "Microsoft Entra did not give the consent", hint)
	}
	tenant, err := ParseID(query.Get("tenant"))
	switch {
	case err != nil || tenant.IsZero():
		return refused(BadResponse, "the answer names no tenant", "open the link again")
	case query.Get("admin_consent") != "True" && query.Get("admin_consent") != "true":
		return refused(BadResponse, "the answer tells of no consent", "open the link again")
	}
	answer.Tenant = tenant
	return answer
}
