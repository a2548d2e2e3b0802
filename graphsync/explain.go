package graphsync

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// An explanation is our wording of one code, for the administrator who has to act.
type explanation struct {
	class         Class
	message, hint string
}

const (
	consentHint = "grant admin consent for the app in this tenant (a Privileged Role or Global Administrator can); just after consent, wait some minutes"
	retryHint   = "nothing to do: the next cycle tries again"
)

// explainAADSTS knows the token endpoint's numbers. Microsoft publishes them for diagnosis
// ("Microsoft Entra authentication and authorization error codes") and may change them, so
// an unknown number falls back on the OAuth error next to it.
func explainAADSTS(number int) (explanation, bool) {
	switch number {
	case 700016:
		return explanation{ConsentMissing, "the app is not known in this tenant", "check client_id and tenant id; then " + consentHint}, true
	case 7000229:
		return explanation{ConsentMissing, "the app has no enterprise application in this tenant", consentHint}, true
	case 65001, 65004, 90094:
		return explanation{ConsentMissing, "this tenant has not consented to the app", consentHint}, true
	case 7000215:
		return explanation{CredentialInvalid, "the client secret is wrong", "set client_secret to the secret's value, not to its id; if it was replaced in the app registration, use the new one"}, true
	case 7000222:
		return explanation{CredentialExpired, "the client secret has expired", "add a new client secret to the app registration and put it in place; it is picked up without a restart"}, true
	case 700027:
		return explanation{CredentialInvalid, "the certificate's signature was not accepted", "upload this certificate to the app registration, or use the key of one that is there and has not expired"}, true
	case 700024:
		return explanation{CredentialInvalid, "the signed assertion is outside its time of validity", "set this machine's clock (NTP)"}, true
	case 700211, 700213:
		return explanation{Configuration, "the app registration does not trust this workload identity's token", "add a federated credential with the token's issuer and subject to the app registration"}, true
	case 90002:
		return explanation{TenantUnknown, "there is no such tenant", "check the tenant id, and that cloud names the tenant's own cloud"}, true
	case 5000225:
		return explanation{TenantUnknown, "Microsoft has blocked this tenant because it was not used for a long time", "the organization must have it reactivated by Microsoft's support before it is deleted (https://aka.ms/TenantLifecycle), or remove the tenant here"}, true
	case 90038, 900382, 900432:
		return explanation{Configuration, "the tenant or app lives in another national cloud", "set cloud to the tenant's own (public, usgov, usgov-dod or china) and register the app there"}, true
	case 500011:
		return explanation{Configuration, "Microsoft Graph of this cloud is not known in the tenant", "check that cloud names the tenant's own cloud"}, true
	case 650052, 650056, 650057:
		return explanation{Configuration, "the app registration asks for something this organization has not set up", "give the app registration its Microsoft Graph application permissions; then " + consentHint}, true
	case 50020:
		return explanation{TenantUnknown, "the account belongs to another organization", "sign in with an account of the organization that gives the consent"}, true
	case 50034:
		return explanation{TenantUnknown, "there is no such account in this organization", "sign in with an account of the organization that gives the consent"}, true
	case 50105:
		return explanation{Policy, "the account is not assigned to the app, which requires assignment", "assign it (Enterprise applications, Users and groups), or let \"Assignment required\" be No"}, true
	case 70008, 54005, 501481:
		return explanation{Configuration, "the sign-in took too long, or was used before", "open the link again"}, true
	case 50194:
		return explanation{Configuration, "the app registration is for its own tenant only", "set its supported account types to any organizational directory, or use an app registered in this tenant"}, true
	case 9001023:
		return explanation{Configuration, "tokens cannot be had for \"common\"", "set the tenant's own id"}, true
	case 70001, 7000112:
		return explanation{AppDisabled, "the app is disabled in this tenant", "enable sign-in for the enterprise application (Properties, \"Enabled for users to sign-in\")"}, true
	case 53003, 530032, 530035:
		return explanation{Policy, "a Conditional Access or security policy blocks the app", "except this workload identity from the policy, or add this machine's address to its allowed locations"}, true
	case 50196:
		return explanation{Throttled, "too many tokens were asked for in a short time", retryHint}, true
	case 90006, 90024, 90033, 90055, 90090:
		return explanation{Transient, "the token endpoint has a passing problem", retryHint}, true
	}
	return explanation{}, false
}

func explainOAuth(code string) (explanation, bool) {
	switch code {
	case "invalid_client":
		return explanation{CredentialInvalid, "the app's credential was not accepted", "check client_id and the secret or certificate against the app registration"}, true
	case "unauthorized_client", "consent_required", "interaction_required":
		return explanation{ConsentMissing, "the app may not have a token in this tenant", consentHint}, true
	case "access_denied":
		return explanation{Policy, "the tenant denies the app a token", "look for the reason in the tenant's sign-in logs (service principal sign-ins)"}, true
	case "temporarily_unavailable", "server_error":
		return explanation{Transient, "the token endpoint has a passing problem", retryHint}, true
	case "invalid_request", "invalid_scope", "invalid_resource", "invalid_grant", "invalid_tenant", "unsupported_grant_type":
		return explanation{Configuration, "the token endpoint did not accept the request", "check tenant, client_id and cloud"}, true
	}
	return explanation{}, false
}

var (
	aadstsNumber = regexp.MustCompile(`AADSTS([0-9]{4,8})`)
	// subscriptionLimit fits the refusals that have been seen: "App '…' has reached its limit of '1' '…' subscription on
	// tenant '…'" (403) and "Resource 'SubscriptionCountReached' has reached limit of '1000'" (429).
	subscriptionLimit = regexp.MustCompile(`(?i)subscriptionCountReached|reached (?:its |the )?limit of .*subscription|subscription (?:limit|quota)`)

	jwtText = regexp.MustCompile(`eyJ[A-Za-z0-9_\-]{10,}[A-Za-z0-9_.\-]*`)
)

// ExplainToken says in plain words what an answer of the token endpoint means. The result
// quotes Microsoft's sentence only where we have none of our own.
func ExplainToken(status int, body []byte) *Error {
	var response struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
		Trace       string `json:"trace_id"`
	}
	e := &Error{Op: "token", Status: status}
	if json.Unmarshal(body, &response) != nil || response.Error == "" {
		return explainStatus(e, "the token endpoint")
	}
	e.Code, e.RequestID = quote(response.Error), quote(response.Trace)
	numbers := response.Codes
	if m := aadstsNumber.FindStringSubmatch(response.Description); m != nil && len(numbers) == 0 {
		n, _ := strconv.Atoi(m[1])
		numbers = []int{n}
	}
	if len(numbers) > 0 {
		e.Code = fmt.Sprintf("AADSTS%d", numbers[0])
	}
	for _, n := range numbers {
		if x, ok := explainAADSTS(n); ok {
			e.Class, e.Message, e.Hint = x.class, x.message, x.hint
			return e
		}
	}
	x, ok := explainOAuth(response.Error)
	switch {
	case status == http.StatusTooManyRequests || status >= 500:
		return explainStatus(e, "the token endpoint")
	case !ok:
		x = explanation{Configuration, "the token endpoint refused the request", "check tenant, client_id and cloud"}
	}
	e.Class, e.Message, e.Hint = x.class, x.message, x.hint
	if said := quote(aadstsSentence(response.Description)); said != "" {
		e.Message += ": " + said
	}
	return e
}

// ExplainGraph says in plain words what an error answer of Microsoft Graph means. An answer
// after which a new round must begin wraps [ErrResync].
func ExplainGraph(status int, code, message string) *Error {
	e := &Error{Status: status, Code: quote(code)}
	lower := strings.ToLower(code)
	set := func(class Class, message, hint string) *Error {
		e.Class, e.Message, e.Hint = class, message, hint
		return e
	}
	switch {
	case status == http.StatusGone,
		(status == http.StatusBadRequest || status == http.StatusNotFound) &&
			(strings.HasPrefix(lower, "sync") || strings.HasPrefix(lower, "resync")):
		e.Err = ErrResync
		return set(Transient, "the delta link has expired or was reset", "nothing to do: a new round begins; no user is removed by absence alone")
	case lower == "authorization_identitynotfound":
		return set(ConsentMissing, "the app has no identity in this tenant", consentHint)
	case lower == "authentication_requestfromnonpremiumtenantorb2ctenant":
		return set(Configuration, "the tenant's edition does not offer this", "the tenant needs Microsoft Entra ID P1 or P2, or is of a type that cannot be synchronized")
	case status == http.StatusUnauthorized:
		return set(Configuration, "Microsoft Graph did not accept the token", "check that cloud names the tenant's own cloud and that this machine's clock is right")
	case (status == http.StatusForbidden || status == http.StatusTooManyRequests) && subscriptionLimit.MatchString(code+" "+message):
		e.Quote = quote(message)
		return set(SubscriptionLimit, "there are as many subscriptions for change notifications as Microsoft Graph allows",
			"remove subscriptions that other apps no longer need: 1,000 for a tenant, 100 for an app in a tenant, 50,000 for an app")
	case status == http.StatusForbidden:
		e.Quote = quote(message)
		return set(PermissionMissing, "the app lacks a permission for this", "add it to the app registration as an application permission and grant admin consent again")
	case strings.Contains(message, "change enumeration is not supported"):
		return set(Configuration, "this type of tenant (External ID, B2C) does not offer delta queries", "such tenants cannot be synchronized")
	case strings.Contains(message, "not supported for the following properties"),
		strings.Contains(message, "Could not find a property named"):
		return set(Configuration, "Microsoft Graph cannot give a property that is asked for: "+quote(message), "take that property out of the mapping and the filters, or correct its spelling")
	case status == http.StatusBadRequest:
		return set(Configuration, "Microsoft Graph did not accept the request: "+quote(message), "")
	case status == http.StatusNotFound && code != "":
		return set(BadResponse, "the object does not exist", "")
	}
	return explainStatus(e, "Microsoft Graph")
}

// ExplainChallenge says what a refusal means that asks for more claims in the token (Continuous access
// evaluation, "claims challenge"): a policy refuses this app here and now, whatever its permissions.
func ExplainChallenge(code, message string) *Error {
	e := &Error{Status: http.StatusUnauthorized, Code: quote(code), Class: Policy,
		Message: "Microsoft Graph refuses the token and asks for other claims (claims challenge)",
		Hint: "look for a Conditional Access policy for workload identities that names this app (sign-in logs, service principal sign-ins): " +
			"except the app from it, or add this machine's address to its allowed locations"}
	if said := quote(message); said != "" {
		e.Message += ": " + said
	}
	return e
}

// explainStatus words an answer of which only the status can be understood.
func explainStatus(e *Error, who string) *Error {
	switch {
	case e.Status == http.StatusTooManyRequests:
		e.Class, e.Message, e.Hint = Throttled, who+" asks to slow down", retryHint
	case e.Status >= 500 || e.Status == http.StatusRequestTimeout:
		e.Class, e.Message, e.Hint = Transient, fmt.Sprintf("%s has a passing problem (status %d)", who, e.Status), retryHint
	default:
		e.Class, e.Message = BadResponse, fmt.Sprintf("%s answered with status %d and not in the documented form", who, e.Status)
		e.Hint = "a proxy or firewall may be answering in its place; check cloud and the proxy settings"
	}
	return e
}

// aadstsSentence takes the first sentence out of an error_description, without the number
// and the trailing trace ids.
func aadstsSentence(description string) string {
	description, _, _ = strings.Cut(description, "Trace ID:")
	if i := strings.Index(description, ": "); i >= 0 && strings.HasPrefix(description, "AADSTS") {
		description = description[i+2:]
	}
	return description
}

// quote makes foreign text fit to be shown: one line, short, without anything like a token.
func quote(s string) string {
	s = jwtText.ReplaceAllString(s, "(token)")
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)), " ")
	const limit = 200
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}
