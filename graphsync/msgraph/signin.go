package msgraph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"entrasync/graphsync"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
)

// A Redemption is what a sign-in page led back with, and what it was asked with.
type Redemption struct {
	Code     string
	Redirect string
	Verifier string
}

// SignIn redeems the code of a sign-in at the tenant of a configuration, with the app's own
// credential, and returns what the ID token says. The token comes from the token endpoint over TLS
// and from nowhere else, which stands in place of its signature (OpenID Connect Core 3.1.3.7). The
// caller compares tenant and nonce.
//
// azidentity has no sign-in for apps with a credential of their own; this is the library it is
// made of.
func SignIn(ctx context.Context, cfg Config, r Redemption) (none graphsync.SignedIn, err error) {
	if cfg.HTTP == nil {
		cfg.HTTP = NewTransport()
	}
	tokens, err := newTokens(cfg)
	if err != nil {
		return none, fmt.Errorf("sign in: %w", err)
	}
	credential, err := tokens.confidential()
	if err != nil {
		return none, &graphsync.Error{Class: graphsync.CredentialInvalid, Op: "sign in", Message: tokens.scrub(err.Error()), Hint: "correct the app's credential on this machine"}
	}
	client, err := confidential.New(cfg.Cloud.Authority+"/"+cfg.Tenant.String(), cfg.Credential.ClientID, credential,
		confidential.WithHTTPClient(endpoint{tokens}), confidential.WithInstanceDiscovery(!cfg.Cloud.IsCustom()))
	if err != nil {
		return none, fmt.Errorf("sign in: %w", err)
	}
	got, err := client.AcquireTokenByAuthCode(ctx, r.Code, r.Redirect, []string{"openid", "profile"}, confidential.WithChallenge(r.Verifier))
	switch {
	case err == nil:
	case tokens.failed != nil:
		tokens.failed.Op, tokens.failed.Message = "sign in", tokens.scrub(tokens.failed.Message)
		return none, tokens.failed
	case ctx.Err() != nil:
		return none, stopped(ctx)
	default: // its text may quote the response, token and all
		return none, &graphsync.Error{Class: graphsync.BadResponse, Op: "sign in", Message: "the token endpoint's answer is not in the documented form"}
	}
	said, err := claimsOf(got.IDToken.RawToken) // the library leaves the nonce out
	who := graphsync.SignedIn{Tenant: said.Tenant, Nonce: said.Nonce, Username: got.IDToken.PreferredUsername}
	if err != nil || got.IDToken.Audience != cfg.Credential.ClientID || time.Now().Unix() > got.IDToken.ExpirationTime {
		return none, &graphsync.Error{Class: graphsync.BadResponse, Op: "sign in", Message: "the ID token is not one for this app"}
	}
	return who, nil
}

// confidential is the credential in the form of the library.
func (t *tokens) confidential() (confidential.Credential, error) {
	switch c := t.credential; {
	case c.Secret != nil:
		secret, err := c.Secret()
		if err != nil {
			return confidential.Credential{}, fmt.Errorf("read client secret: %w", err)
		}
		t.secret = secret
		return confidential.NewCredFromSecret(secret)
	case c.Certificate != nil:
		data, password, err := c.Certificate.read()
		if err != nil {
			return confidential.Credential{}, err
		}
		t.secret = password
		pair, err := c.Certificate.parse(data, password)
		if err != nil {
			return confidential.Credential{}, err
		}
		return confidential.NewCredFromCert(pair.certs, pair.key)
	case c.WorkloadIdentity != nil:
		return confidential.NewCredFromAssertionCallback(func(context.Context, confidential.AssertionRequestOptions) (string, error) {
			token, err := os.ReadFile(c.WorkloadIdentity.TokenFile)
			return string(token), err
		}), nil
	}
	return confidential.Credential{}, errors.New("a managed identity cannot redeem a sign-in")
}

// endpoint carries the library's requests, and notes what went wrong.
type endpoint struct{ *tokens }

func (e endpoint) CloseIdleConnections() { e.client.CloseIdleConnections() }

var _ interface {
	Do(*http.Request) (*http.Response, error)
	CloseIdleConnections()
} = endpoint{}
