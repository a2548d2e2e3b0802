package target

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"entrasync/graphsync/redact"
)

// A Secret returns a secret as it is now; it is asked for each request, so that a file that
// changed is read again. White space around it is dropped. Its error must not hold it.
type Secret func() (string, error)

// Auth is how to authorize: one of the three, or none.
type Auth struct {
	Bearer Secret
	Basic  *Basic
	OAuth2 *OAuth2
}

// Basic is a user name and password (RFC 7617).
type Basic struct {
	Username string
	Password Secret
}

// OAuth2 gets tokens by client credentials (RFC 6749, section 4.4).
type OAuth2 struct {
	TokenURL     string
	ClientID     string
	ClientSecret Secret
	Scopes       []string
}

// An authorizer makes Authorization headers.
type authorizer struct {
	auth   Auth
	tokens *tokens
	used   usedSecrets
}

// usedSecrets are the last secrets that were sent: an application may still name one that was
// replaced meanwhile.
type usedSecrets struct {
	mu   sync.Mutex // protects last
	last []string
}

func (u *usedSecrets) add(secrets ...string) []string {
	const kept = 8
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, secret := range secrets {
		if secret != "" && !slices.Contains(u.last, secret) {
			u.last = append(u.last, secret)
		}
	}
	u.last = slices.Clone(u.last[max(0, len(u.last)-kept):])
	return u.last
}

func newAuthorizer(auth Auth, base http.RoundTripper, timeout time.Duration) (*authorizer, error) {
	a := &authorizer{auth: auth}
	given := 0
	if auth.Bearer != nil {
		given++
	}
	if auth.Basic != nil {
		given++
	}
	if o := auth.OAuth2; o != nil {
		given++
		a.tokens = &tokens{
			secret: o.ClientSecret,
			busy:   make(chan struct{}, 1),
			config: clientcredentials.Config{ClientID: o.ClientID, TokenURL: o.TokenURL, Scopes: o.Scopes},
			client: &http.Client{
				Transport: tokenBodies{base},
				Timeout:   timeout,
				CheckRedirect: func(*http.Request, []*http.Request) error {
					return errors.New("the token endpoint redirects; nothing was sent there")
				},
			},
		}
	}
	if given > 1 {
		return nil, errors.New("more than one kind of authorization is given; keep one")
	}
	return a, nil
}

// header returns the Authorization header's value, "" for none.
func (a *authorizer) header(ctx context.Context) (string, error) {
	switch {
	case a.auth.Bearer != nil:
		token, err := reveal(a.auth.Bearer, "bearer token")
		return "Bearer " + token, err
	case a.auth.Basic != nil:
		password, err := reveal(a.auth.Basic.Password, "password")
		pair := a.auth.Basic.Username + ":" + password
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)), err
	case a.tokens != nil:
		return a.tokens.header(ctx)
	}
	return "", nil
}

// renew reports whether another credential than the refused one is to be had.
func (a *authorizer) renew(refused string) bool {
	if a.tokens != nil {
		a.tokens.drop(refused)
		return true
	}
	now, err := a.header(context.Background())
	return err == nil && now != refused
}

// redactor blanks the secrets that were sent. Short ones are left alone in good responses, where
// they may well be a user's name.
func (a *authorizer) redactor(credential string, failed bool) redact.Redactor {
	_, secret, _ := strings.Cut(credential, " ")
	secrets := []string{secret}
	switch {
	case a.auth.Basic != nil:
		password, _ := reveal(a.auth.Basic.Password, "")
		secrets = append(secrets, password)
	case a.tokens != nil:
		secrets = append(secrets, a.tokens.sent()...)
	}
	shortest := 16
	if failed {
		shortest = 4
	}
	return redact.New(shortest, a.used.add(secrets...)...)
}

func reveal(secret Secret, what string) (string, error) {
	text, err := secret()
	if err != nil {
		return "", &Error{Code: Unauthorized, Message: "the " + what + " cannot be read", Hint: "see that the file exists and may be read", Err: err}
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return "", &Error{Code: Unauthorized, Message: "the " + what + " is empty", Hint: "put the secret where the configuration says"}
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", &Error{Code: Unauthorized, Message: "the " + what + " holds a line break or another control character", Hint: "keep nothing but the secret in it"}
	}
	return text, nil
}

// tokens keeps an OAuth2 token until shortly before it expires or is refused.
type tokens struct {
	config clientcredentials.Config // its secret is set before each fetch
	secret Secret
	client *http.Client
	busy   chan struct{} // held while fetching, so that one fetch serves all who wait

	mu           sync.Mutex // protects all fields below
	token        string
	expiry       time.Time // when to fetch again, zero for never
	clientSecret string    // the secret that the token was fetched with
}

// sent returns the secrets that have been sent last.
func (t *tokens) sent() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return []string{t.token, t.clientSecret}
}

func (t *tokens) current() (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token, t.token != "" && (t.expiry.IsZero() || time.Now().Before(t.expiry))
}

func (t *tokens) drop(header string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if header == "Bearer "+t.token {
		t.token = ""
	}
}

func (t *tokens) header(ctx context.Context) (string, error) {
	if token, ok := t.current(); ok {
		return "Bearer " + token, nil
	}
	select {
	case t.busy <- struct{}{}:
		defer func() { <-t.busy }()
	case <-ctx.Done():
		return "", &Error{Code: Unavailable, Message: "stopped while waiting for a token", Err: ctx.Err()}
	}
	if token, ok := t.current(); ok {
		return "Bearer " + token, nil
	}
	secret, err := reveal(t.secret, "client secret")
	if err != nil {
		return "", err
	}
	t.config.ClientSecret = secret
	t.mu.Lock()
	t.clientSecret = secret
	t.mu.Unlock()
	token, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err != nil {
		return "", tokenFailure(err, redact.New(1, secret, t.config.ClientID+":"+secret))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token, t.expiry = token.AccessToken, token.Expiry
	if !t.expiry.IsZero() {
		t.expiry = t.expiry.Add(-min(time.Minute, time.Until(t.expiry)/4))
	}
	return "Bearer " + t.token, nil
}

func tokenFailure(err error, hide redact.Redactor) error {
	e := &Error{Op: "get token", Code: Unavailable, Message: "the token endpoint cannot be reached", Hint: "check oauth2.token_url"}
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
	case strings.HasPrefix(err.Error(), "oauth2: "):
		e.Code, e.Message = Unauthorized, "the token endpoint's answer holds no token"
		return e
	default:
		cause := failure(&http.Request{Method: http.MethodGet}, unwrapURL(err), true)
		e.Code, e.Message = cause.Code, hide.Text("token endpoint: "+cause.Message)
		return e
	}
	e.Status = refused.Response.StatusCode
	detail := refused.ErrorCode
	if detail == "" {
		detail = string(refused.Body)
	}
	if refused.ErrorDescription != "" {
		detail += ": " + refused.ErrorDescription
	}
	if e.Detail = Clean(hide.Text(detail)); e.Status < 500 && e.Status != http.StatusTooManyRequests {
		e.Code = Unauthorized
		e.Message = fmt.Sprintf("the token endpoint refuses the client (%d)", e.Status)
		e.Hint = "check the client id, its secret and the scope"
		return e
	}
	e.Message = fmt.Sprintf("the token endpoint answers %d", e.Status)
	return e
}
