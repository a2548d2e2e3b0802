package msgraph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/redact"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// A Credential is how the app proves who it is. Exactly one of the kinds is set. Secrets and
// certificate files are read again whenever a token is needed, so a new one is picked up
// while running.
type Credential struct {
	ClientID         string // of the app registration; not needed for a managed identity
	Secret           func() (string, error)
	Certificate      *Certificate
	WorkloadIdentity *WorkloadIdentity
	ManagedIdentity  *ManagedIdentity
}

// A WorkloadIdentity proves itself with a token another issuer (such as Kubernetes) keeps
// fresh in a file; the app registration trusts it by a federated credential.
type WorkloadIdentity struct{ TokenFile string }

// A ManagedIdentity is one Azure gives to the machine. An empty ClientID means the machine's own.
type ManagedIdentity struct{ ClientID string }

func (c Credential) check() error {
	kinds := 0
	for _, set := range []bool{c.Secret != nil, c.Certificate != nil, c.WorkloadIdentity != nil, c.ManagedIdentity != nil} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return fmt.Errorf("the app has %d credentials, want exactly one (secret, certificate, workload identity or managed identity)", kinds)
	case c.ClientID == "" && c.ManagedIdentity == nil:
		return errors.New("the app's client id is missing")
	}
	return nil
}

// tokens obtains access tokens and keeps the last one.
type tokens struct {
	tenant     graphsync.ID
	cloud      graphsync.Cloud
	credential Credential
	client     *http.Client

	// slot is held by the goroutine that reads or changes what follows: a lock that a cancelled
	// context can stop waiting for.
	slot   chan struct{}
	source azcore.TokenCredential
	made   []byte // the secret or certificate file that source was made from
	secret string // to be kept out of error texts
	token  azcore.AccessToken
	failed *graphsync.Error // what the exchange in progress has met, set by Do

	expires atomic.Pointer[time.Time] // of the certificate, nil when there is none
}

func newTokens(cfg Config) (*tokens, error) {
	if err := cfg.Credential.check(); err != nil {
		return nil, err
	}
	t := &tokens{
		tenant: cfg.Tenant, cloud: cfg.Cloud, credential: cfg.Credential,
		client: &http.Client{Transport: cfg.HTTP, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		slot:   make(chan struct{}, 1),
	}
	if cert := t.credential.Certificate; cert != nil {
		data, password, err := cert.read()
		if err != nil {
			return nil, err
		}
		pair, err := cert.parse(data, password)
		if err != nil {
			return nil, err
		}
		t.expires.Store(&pair.certs[0].NotAfter)
	}
	return t, nil
}

// get returns a token with some minutes to live, and whether it was obtained just now.
func (t *tokens) get(ctx context.Context) (token string, fresh bool, err error) {
	select {
	case t.slot <- struct{}{}:
		defer func() { <-t.slot }()
	case <-ctx.Done():
		return "", false, stopped(ctx)
	}
	if time.Until(t.token.ExpiresOn) > 5*time.Minute {
		return t.token.Token, false, nil
	}
	if err := t.prepare(); err != nil {
		if e := (*graphsync.Error)(nil); errors.As(err, &e) {
			return "", false, e
		}
		return "", false, &graphsync.Error{Class: graphsync.CredentialInvalid, Op: "token",
			Message: t.scrub(err.Error()), Hint: "correct the app's credential on this machine"}
	}
	t.failed = nil
	got, err := t.source.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{t.cloud.Scope()}})
	switch {
	case err == nil:
		if err := t.verifyTenant(got.Token); err != nil {
			return "", false, err
		}
		t.token = got
		return got.Token, true, nil
	case t.failed != nil:
		t.failed.Message = t.scrub(t.failed.Message)
		if t.credential.ManagedIdentity != nil && t.failed.Class == graphsync.Unreachable {
			t.failed.Hint = "a managed identity exists only on a machine in Azure that was given one; use another credential elsewhere"
		}
		return "", false, t.failed
	case ctx.Err() != nil:
		return "", false, stopped(ctx)
	}
	// Its text may quote the response, token and all: it is not passed on.
	return "", false, &graphsync.Error{Class: graphsync.BadResponse, Op: "token",
		Message: "the token endpoint's answer is not in the documented form", Hint: "a proxy or firewall may be answering in its place; check cloud.authority"}
}

// prepare makes the azidentity credential, and a new one when its secret or certificate has changed.
func (t *tokens) prepare() error {
	options := azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: t.cloud.Authority},
		Transport: t,
		Retry:     policy.RetryOptions{MaxRetries: -1}, // call repeats; two loops would multiply
	}
	tenant, client, custom := t.tenant.String(), t.credential.ClientID, t.cloud.IsCustom()
	c := t.credential
	switch {
	case c.Secret != nil:
		secret, err := c.Secret()
		if err != nil {
			return fmt.Errorf("read client secret: %w", err)
		}
		if secret == "" {
			return errors.New("the client secret is empty")
		}
		if !t.changed([]byte(secret)) {
			return nil
		}
		t.secret = secret
		source, err := azidentity.NewClientSecretCredential(tenant, client, secret,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: custom})
		return t.use(source, err)
	case c.Certificate != nil:
		data, password, err := c.Certificate.read()
		if err != nil || !t.changed(data) {
			return err
		}
		t.secret = password
		pair, err := c.Certificate.parse(data, password)
		if err != nil {
			return err
		}
		expires := pair.certs[0].NotAfter
		t.expires.Store(&expires)
		if time.Now().After(expires) {
			return &graphsync.Error{Class: graphsync.CredentialExpired, Op: "token",
				Message: fmt.Sprintf("the certificate in %s expired on %s", c.Certificate.File, expires.Format(time.DateOnly)),
				Hint:    "upload a new certificate to the app registration and put it in place with its key; it is picked up without a restart"}
		}
		source, err := azidentity.NewClientCertificateCredential(tenant, client, pair.certs, pair.key,
			&azidentity.ClientCertificateCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: custom})
		return t.use(source, err)
	case c.WorkloadIdentity != nil:
		// azidentity reads the file, but what it says about one that is missing is not told apart.
		if _, err := os.Stat(c.WorkloadIdentity.TokenFile); err != nil || t.source != nil {
			return err
		}
		source, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: options, TenantID: tenant, ClientID: client,
			TokenFilePath: c.WorkloadIdentity.TokenFile, DisableInstanceDiscovery: custom})
		return t.use(source, err)
	case t.source == nil:
		o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: options}
		if id := c.ManagedIdentity.ClientID; id != "" {
			o.ID = azidentity.ClientID(id)
		}
		source, err := azidentity.NewManagedIdentityCredential(o)
		return t.use(source, err)
	}
	return nil
}

// material is what the credential at hand was made from: the client secret, where it is one, and
// the secret or certificate file. Both are empty before a first token.
func (t *tokens) material(ctx context.Context) (secret string, made []byte) {
	select {
	case t.slot <- struct{}{}:
		defer func() { <-t.slot }()
	case <-ctx.Done():
		return "", nil
	}
	if t.credential.Secret != nil {
		secret = t.secret
	}
	return secret, t.made
}

func (t *tokens) changed(material []byte) bool {
	if t.source != nil && bytes.Equal(material, t.made) {
		return false
	}
	t.source, t.made = nil, material
	return true
}

func (t *tokens) use(source azcore.TokenCredential, err error) error {
	if err != nil {
		return err
	}
	t.source = source
	return nil
}

// discard forgets a token that was refused, unless another caller has replaced it already.
// An empty token stands for any. azidentity has a cache inside, so its credential goes too.
func (t *tokens) discard(ctx context.Context, token string) {
	select {
	case t.slot <- struct{}{}:
		defer func() { <-t.slot }()
	case <-ctx.Done():
		return
	}
	if token == "" || token == t.token.Token {
		t.token, t.source = azcore.AccessToken{}, nil
	}
}

// errOtherTenant is the cause of refusing a token of another tenant.
var errOtherTenant = errors.New("the token is of another tenant")

// verifyTenant refuses an access token of another tenant: what is read with it would be taken for this
// tenant's directory, in which no user is assigned any more. A token that cannot be read is left to Graph.
func (t *tokens) verifyTenant(token string) error {
	said, err := claimsOf(token)
	if err != nil || said.Tenant.IsZero() || said.Tenant == t.tenant {
		return nil
	}
	return &graphsync.Error{Class: graphsync.CredentialInvalid, Op: "token", Err: errOtherTenant,
		Message: fmt.Sprintf("the token endpoint issued a token of tenant %s instead of tenant %s", said.Tenant, t.tenant),
		Hint:    "check the tenant id and cloud; a managed identity can read its own tenant only"}
}

// scrub blanks the secret out of what the token endpoint or a library says.
func (t *tokens) scrub(text string) string { return redact.New(4, t.secret).Text(text) }

// sentSecrets are the secrets in a request to the token endpoint (RFC 6749, RFC 7523).
func sentSecrets(req *http.Request) []string {
	var secrets []string
	if _, password, ok := req.BasicAuth(); ok {
		secrets = append(secrets, password)
	}
	if req.GetBody == nil {
		return secrets
	}
	body, err := req.GetBody()
	if err != nil {
		return secrets
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, 1<<20))
	if err != nil {
		return secrets
	}
	form, _ := url.ParseQuery(string(text)) // what could be parsed
	for _, name := range []string{"client_secret", "client_assertion", "assertion", "code", "code_verifier", "refresh_token"} {
		secrets = append(secrets, form[name]...)
	}
	return secrets
}

// Do carries azidentity's requests, and notes what went wrong: azidentity's own errors keep
// neither the cause of a lost connection nor the codes apart. It runs while get holds the slot.
func (t *tokens) Do(req *http.Request) (*http.Response, error) {
	resp, err := t.client.Do(req)
	if err != nil {
		t.failed = explainNetwork(req.URL.Host, err)
		t.failed.Op = "token"
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	resp.Body.Close()
	if err != nil {
		t.failed = explainNetwork(req.URL.Host, err)
		t.failed.Op = "token"
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		body = redact.New(4, append(sentSecrets(req), t.secret)...).Bytes(body)
		t.failed = graphsync.ExplainToken(resp.StatusCode, body)
		t.failed.RetryAfter = retryAfter(resp.Header, time.Now())
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
