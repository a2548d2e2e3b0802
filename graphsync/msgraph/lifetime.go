package msgraph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/odata"

	"github.com/microsoftgraph/msgraph-sdk-go/applicationswithappid"
)

var readApplication = operation{"applications", "Application.Read.All"}

// CredentialMark tells the secret or certificate at hand from another one, and nothing of it. It
// is empty where none has been read yet, or there is none to read.
func (s *Source) CredentialMark(ctx context.Context) string {
	_, made := s.tokens.material(ctx)
	if len(made) == 0 {
		return ""
	}
	sum := sha256.Sum256(made)
	return hex.EncodeToString(sum[:4])
}

// CredentialEnds returns when the credential at hand ends, or the zero time where that cannot be
// known. A certificate says so itself. The end of a client secret stands in the app registration,
// as passwordCredentials of the application object (Graph: application resource type); that is
// only in the tenant which registered the app, and is asked for only with a token that may read
// it. Identities without a secret of ours have no end.
func (s *Source) CredentialEnds(ctx context.Context) (time.Time, error) {
	if expires := s.tokens.expires.Load(); expires != nil {
		return *expires, nil
	}
	secret, _ := s.tokens.material(ctx)
	if secret == "" {
		return time.Time{}, nil
	}
	held, err := s.Permissions(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if missing, _ := graphsync.ComparePermissions([]string{readApplication.permission}, held); len(missing) > 0 {
		return time.Time{}, nil
	}
	info, err := applicationswithappid.NewApplicationsWithAppIdRequestBuilderInternal(noParameters(), s.adapter, &s.tokens.credential.ClientID).
		ToGetRequestInformation(ctx, &applicationswithappid.ApplicationsWithAppIdRequestBuilderGetRequestConfiguration{
			QueryParameters: &applicationswithappid.ApplicationsWithAppIdRequestBuilderGetQueryParameters{Select: []string{"id", "passwordCredentials"}},
		})
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: build request: %w", readApplication.name, err)
	}
	var app struct {
		Secrets []secretOnFile `json:"passwordCredentials"`
	}
	err = s.requester.call(ctx, readApplication, info, func(body []byte) error { return odata.DecodeObject(body, &app) })
	if e := (*graphsync.Error)(nil); errors.As(err, &e) && e.Status == http.StatusNotFound {
		return time.Time{}, nil // another tenant registered the app
	}
	if err != nil {
		return time.Time{}, err
	}
	return endOf(secret, app.Secrets, time.Now()), nil
}

// A secretOnFile is a passwordCredential. Hint is the first three characters of the secret.
type secretOnFile struct {
	Hint string    `json:"hint"`
	End  time.Time `json:"endDateTime"`
}

// endOf returns when a secret that works ends. Several may begin alike: then the first end is told,
// as a reminder that comes too early does no harm.
func endOf(secret string, onFile []secretOnFile, now time.Time) time.Time {
	onFile = slices.DeleteFunc(onFile, func(c secretOnFile) bool {
		return !c.End.After(now) || c.Hint != "" && !strings.HasPrefix(secret, c.Hint)
	})
	if slices.ContainsFunc(onFile, func(c secretOnFile) bool { return c.Hint != "" }) {
		onFile = slices.DeleteFunc(onFile, func(c secretOnFile) bool { return c.Hint == "" })
	}
	if len(onFile) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(onFile, func(a, b secretOnFile) int { return a.End.Compare(b.End) }).End
}
