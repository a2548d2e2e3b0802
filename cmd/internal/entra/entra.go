// Package entra reaches Microsoft Graph and Entra's sign-in with the credentials that the configuration gives.
//
// It is the only package of the commands that knows the Graph SDK behind package msgraph: every other one is given
// what it returns. It promises that a credential which cannot be read is an error of class
// [graphsync.CredentialInvalid] of that tenant, and does not end the process.
package entra

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/graphsync/msgraph"
)

// A Connector reaches Microsoft Graph. All tenants share its connections: there can be hundreds.
type Connector struct {
	Transport http.RoundTripper // such as [NewTransport]
	UserAgent string            // name and version of the program
}

// NewTransport returns a transport with the limits that requests to Graph need.
func NewTransport() http.RoundTripper { return msgraph.NewTransport() }

// Open makes the source of a tenant. It sends no request.
func (c Connector) Open(to worker.Connection) (graphsync.Source, error) {
	config, err := c.config(to)
	if err != nil {
		return nil, err
	}
	source, err := msgraph.Open(config)
	if err != nil { // such as a certificate that cannot be read: it is the tenant's health
		return nil, &graphsync.Error{Class: graphsync.CredentialInvalid, Message: err.Error(), Hint: "correct the app's credential on this machine", Err: err}
	}
	return source, nil
}

// SignIn redeems the code of an administrator's sign-in, with the redirect URI and the PKCE verifier it was asked for with.
func (c Connector) SignIn(ctx context.Context, to worker.Connection, code, redirect, verifier string) (none graphsync.SignedIn, err error) {
	config, err := c.config(to)
	if err != nil {
		return none, err
	}
	return msgraph.SignIn(ctx, config, msgraph.Redemption{Code: code, Redirect: redirect, Verifier: verifier})
}

func (c Connector) config(to worker.Connection) (msgraph.Config, error) {
	credential, err := credentialOf(to.App)
	transport, cerr := c.trusting(to.CAFile)
	if err == nil {
		err = cerr
	}
	return msgraph.Config{
		Tenant: to.Tenant, Cloud: to.Cloud, Credential: credential, MaxElapsed: to.MaxElapsed,
		HTTP: transport, UserAgent: c.UserAgent, Log: to.Log,
	}, err
}

// trusting returns the transport, or one of its kind that trusts the certificates of a file and no others.
func (c Connector) trusting(file string) (http.RoundTripper, error) {
	if file == "" {
		return c.Transport, nil
	}
	text, err := os.ReadFile(file)
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(text) {
		err = fmt.Errorf("%s holds no certificate", file)
	}
	if err != nil {
		return nil, advice.With(fmt.Errorf("read cloud.ca_file: %w", err), "start entrasync emulate, which writes it, or name another file")
	}
	transport, ok := c.Transport.(*http.Transport)
	if !ok {
		return c.Transport, nil // of an emulator in this process, which needs none
	}
	transport = transport.Clone()
	if transport.TLSClientConfig == nil {
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	transport.TLSClientConfig.RootCAs = pool
	return transport, nil
}

func credentialOf(app *configs.App) (msgraph.Credential, error) {
	if app == nil {
		return msgraph.Credential{}, advice.With(errors.New("no app registration is configured"), "add an app: section with client_id and client_secret_file")
	}
	c := msgraph.Credential{ClientID: app.ClientID}
	switch {
	case !app.ClientSecret.IsZero():
		c.Secret = app.ClientSecret.Read
	case !app.Certificate.IsZero():
		c.Certificate = &msgraph.Certificate{File: app.Certificate.File}
		if !app.CertificatePassword.IsZero() {
			c.Certificate.Password = app.CertificatePassword.Read
		}
	case app.WorkloadIdentity != nil:
		c.WorkloadIdentity = &msgraph.WorkloadIdentity{TokenFile: app.WorkloadIdentity.TokenFile}
	case app.ManagedIdentity != nil:
		c.ManagedIdentity = &msgraph.ManagedIdentity{ClientID: app.ManagedIdentity.ClientID}
	}
	return c, nil
}
