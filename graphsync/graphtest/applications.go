package graphtest

import (
	"crypto/sha1" // a certificate's thumbprint
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A passwordCredential is a client secret as Graph shows it (resources/passwordCredential): the
// secret itself is told once, when it is made.
type passwordCredential struct {
	CustomKeyIdentifier *string   `json:"customKeyIdentifier"`
	DisplayName         string    `json:"displayName"`
	EndDateTime         time.Time `json:"endDateTime"`
	Hint                string    `json:"hint"`
	KeyID               string    `json:"keyId"`
	SecretText          *string   `json:"secretText"`
	StartDateTime       time.Time `json:"startDateTime"`
}

// A keyCredential is a certificate (resources/keyCredential).
type keyCredential struct {
	CustomKeyIdentifier string    `json:"customKeyIdentifier"`
	DisplayName         string    `json:"displayName"`
	EndDateTime         time.Time `json:"endDateTime"`
	Key                 *string   `json:"key"`
	KeyID               string    `json:"keyId"`
	StartDateTime       time.Time `json:"startDateTime"`
	Type                string    `json:"type"`
	Usage               string    `json:"usage"`
}

// passwordCredentials shows each secret as one made for the longest time there is.
func (a *application) passwordCredentials() []any {
	out := []any{}
	for _, s := range a.secrets() {
		out = append(out, passwordCredential{
			DisplayName:   "Client secret",
			EndDateTime:   graphTime(s.ends),
			Hint:          s.text[:min(3, len(s.text))],
			KeyID:         newID("secret", a.ClientID, s.text).String(),
			StartDateTime: graphTime(s.ends.AddDate(-secretYears, 0, 0)),
		})
	}
	return out
}

func (a *application) keyCredentials(withKey bool) []any {
	out := []any{}
	for _, c := range a.Certificates {
		thumbprint := fmt.Sprintf("%X", sha1.Sum(c.Raw))
		k := keyCredential{
			CustomKeyIdentifier: thumbprint,
			DisplayName:         c.Subject.String(),
			EndDateTime:         graphTime(c.NotAfter),
			KeyID:               newID("certificate", a.ClientID, thumbprint).String(),
			StartDateTime:       graphTime(c.NotBefore),
			Type:                "AsymmetricX509Cert",
			Usage:               "Verify",
		}
		if withKey {
			key := base64.StdEncoding.EncodeToString(c.Raw)
			k.Key = &key
		}
		out = append(out, k)
	}
	return out
}

// graphTime is a time as Graph has it, in UTC and without the clock's fractions.
func graphTime(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// applicationOf finds an application registered in the tenant by object id or appId=….
func (t *Tenant) applicationOf(key string) *application {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	appID, byApp := strings.CutPrefix(key, "appId=")
	for _, app := range t.s.apps {
		if app.home() == t.ID() && (byApp && strings.EqualFold(app.ClientID, appID) || !byApp && strings.EqualFold(app.objectID(), key)) {
			found := *app
			return &found
		}
	}
	return nil
}

func (a *application) objectID() string { return newID("application", a.ClientID).String() }

// getApplication answers the application object, which is in the app's home tenant only; other
// tenants have service principals ("Application and service principal objects").
func (ar applicationReads) getApplication() (*Response, *graphError) {
	if err := ar.call.options("$select"); err != nil {
		return nil, err
	}
	names, err := ar.call.selected()
	if err != nil {
		return nil, err
	}
	t := ar.call.tenant
	app := t.applicationOf(ar.call.args[0])
	if app == nil {
		return nil, notFound(strings.TrimPrefix(ar.call.args[0], "appId="))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o := &object{id: mustID(app.objectID()), schema: applicationSchema}
	t.dir.update(o, Props{
		"appId":           app.ClientID,
		"appRoles":        appRoles(app.Roles),
		"createdDateTime": app.created,
		"displayName":     app.Name,
		// "By default, this API doesn't return the public key value unless keyCredentials is
		// specified in a $select query" (Get application).
		"keyCredentials":      app.keyCredentials(slices.Contains(names, "keyCredentials")),
		"passwordCredentials": app.passwordCredentials(),
		"publisherDomain":     t.Domain(),
		"signInAudience":      "AzureADMultipleOrgs",
		"web":                 map[string]any{"redirectUris": append([]string{}, app.RedirectURIs...)},
	})
	return ar.call.one(o, ar.call.args[0], "applications")
}
