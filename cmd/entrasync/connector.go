package main

import (
	"context"
	"errors"
	"net/http"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/graphsync/msgraph"
)

// A connector reaches Microsoft Graph. All tenants share its connections: there can be hundreds.
type connector struct{ transport http.RoundTripper }

// connector returns how this command reaches Graph.
func (a *app) connector() connector {
	if a.graph == nil {
		a.graph = msgraph.NewTransport()
	}
	return connector{a.graph}
}

// open makes the source of a tenant.
func (c connector) open(to worker.Connection) (graphsync.Source, error) {
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

// signIn redeems the code of an administrator's sign-in.
func (c connector) signIn(ctx context.Context, to worker.Connection, code, redirect, verifier string) (none graphsync.SignedIn, err error) {
	config, err := c.config(to)
	if err != nil {
		return none, err
	}
	return msgraph.SignIn(ctx, config, msgraph.Redemption{Code: code, Redirect: redirect, Verifier: verifier})
}

func (c connector) config(to worker.Connection) (msgraph.Config, error) {
	credential, err := credentialOf(to.App)
	return msgraph.Config{
		Tenant: to.Tenant, Cloud: to.Cloud, Credential: credential, MaxElapsed: to.MaxElapsed,
		HTTP: c.transport, UserAgent: "entrasync/" + versionText(), Log: to.Log,
	}, err
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
