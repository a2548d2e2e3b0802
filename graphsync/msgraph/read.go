package msgraph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/graphsync/odata"
	"entrasync/graphsync/paging"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/groups"
	"github.com/microsoftgraph/msgraph-sdk-go/organization"
	"github.com/microsoftgraph/msgraph-sdk-go/serviceprincipalswithappid"
)

// The operations that read in full.
var (
	readApp          = operation{"servicePrincipals", "Application.Read.All"}
	readMembers      = operation{"groups/members", "GroupMember.Read.All"}
	readOrganization = operation{"organization", "User.Read.All"}
)

// App reads the enterprise application of an app registration.
func (s *Source) App(ctx context.Context, appID string) (*graphsync.App, error) {
	id, err := graphsync.ParseID(appID)
	if err != nil {
		return nil, fmt.Errorf("%s: app id: %w", readApp.name, err)
	}
	appID = id.String()
	info, err := serviceprincipalswithappid.NewServicePrincipalsWithAppIdRequestBuilderInternal(noParameters(), s.adapter, &appID).
		ToGetRequestInformation(ctx, &serviceprincipalswithappid.ServicePrincipalsWithAppIdRequestBuilderGetRequestConfiguration{
			QueryParameters: &serviceprincipalswithappid.ServicePrincipalsWithAppIdRequestBuilderGetQueryParameters{
				Select: []string{"id", "appId", "displayName", "accountEnabled", "appRoleAssignmentRequired", "appRoles"},
			}})
	if err != nil {
		return nil, fmt.Errorf("%s: build request: %w", readApp.name, err)
	}
	var app *graphsync.App
	err = s.requester.call(ctx, readApp, info, func(body []byte) (err error) {
		app, err = odata.DecodeApp(body)
		return err
	})
	if e := (*graphsync.Error)(nil); errors.As(err, &e) && e.Status == http.StatusNotFound {
		e.Class = graphsync.ConsentMissing
		e.Message = "the app " + appID + " has no enterprise application in this tenant"
		e.Hint = "grant admin consent for it in this tenant, or check app_id"
	}
	if err != nil {
		return nil, err
	}
	return app, nil
}

// Members reads the direct members of a group that are users or groups, or may be.
func (s *Source) Members(ctx context.Context, group graphsync.ID, yield func([]graphsync.MemberChange) error) ([]graphsync.BadRecord, error) {
	top := int32(999)
	first, err := groups.NewGroupsRequestBuilderInternal(noParameters(), s.adapter).ByGroupId(group.String()).Members().
		ToGetRequestInformation(ctx, &groups.ItemMembersRequestBuilderGetRequestConfiguration{
			QueryParameters: &groups.ItemMembersRequestBuilderGetQueryParameters{Top: &top, Select: []string{"id"}},
		})
	if err != nil {
		return nil, fmt.Errorf("%s: build request: %w", readMembers.name, err)
	}
	next := func(link string) (*abs.RequestInformation, error) {
		return groups.NewItemMembersRequestBuilder(link, s.adapter).ToGetRequestInformation(ctx, nil)
	}
	var skipped []graphsync.BadRecord
	err = s.requester.pages(ctx, readMembers, first, next, func(body []byte) (odata.List, func() error, error) {
		page, faults, l, err := odata.DecodeMembers(group, body)
		return l, func() error {
			skipped = append(skipped, faults...)
			if len(page) == 0 {
				return nil
			}
			return yield(page)
		}, err
	})
	return skipped, err
}

// listLimits end a collection that has no end. A page of one is sent once, and its entries are in no
// other; the largest group has some thousand pages.
var listLimits = paging.Limits{Pages: 10_000, Empty: 100, Same: 1}

// pages reads a collection to its end. decode may run several times for a page that comes
// in broken; the function it returns runs once, when the page is whole. A refused link to a
// further page is [graphsync.ErrResync].
func (rq *requester) pages(ctx context.Context, op operation, info *abs.RequestInformation, next func(link string) (*abs.RequestInformation, error),
	decode func(body []byte) (odata.List, func() error, error)) error {
	loop := paging.New(listLimits)
	for further := false; ; further = true {
		var l odata.List
		var accept func() error
		err := rq.call(ctx, op, info, func(body []byte) (err error) {
			l, accept, err = decode(body)
			return err
		})
		if further {
			err = refusedLink(err)
		}
		if err != nil {
			return err
		}
		if err := rq.checkNext(l.Next, ""); err != nil {
			return named(op, err)
		}
		if err := accept(); err != nil {
			return err
		}
		if l.Next == "" {
			return nil
		}
		if err := loop.Page(l.Entries, l.Content, l.Next); err != nil {
			return named(op, odata.Undocumented(err.Error()))
		}
		if info, err = next(l.Next); err != nil {
			return fmt.Errorf("%s: build request: %w", op.name, err)
		}
	}
}

// Organization reads the tenant's id, name and verified domains. Both the token and the organization must be
// those of the tenant this source was opened for, so that it is proof of the tenant.
func (s *Source) Organization(ctx context.Context) (graphsync.Organization, error) {
	info, err := organization.NewOrganizationRequestBuilderInternal(noParameters(), s.adapter).
		ToGetRequestInformation(ctx, &organization.OrganizationRequestBuilderGetRequestConfiguration{
			QueryParameters: &organization.OrganizationRequestBuilderGetQueryParameters{Select: []string{"id", "displayName", "verifiedDomains"}},
		})
	if err != nil {
		return graphsync.Organization{}, fmt.Errorf("%s: build request: %w", readOrganization.name, err)
	}
	var organization graphsync.Organization
	err = s.requester.call(ctx, readOrganization, info, func(body []byte) (err error) {
		organization, err = odata.DecodeOrganization(body)
		return err
	})
	if errors.Is(err, errOtherTenant) {
		return graphsync.Organization{}, otherOrganization()
	}
	if err != nil {
		return graphsync.Organization{}, err
	}
	token, _, err := s.tokens.get(ctx)
	if err != nil {
		return graphsync.Organization{}, err
	}
	claims, err := claimsOf(token)
	if err != nil || claims.Tenant != s.tokens.tenant || organization.ID != s.tokens.tenant {
		return graphsync.Organization{}, otherOrganization()
	}
	return organization, nil
}

func otherOrganization() error {
	return &graphsync.Error{Class: graphsync.TenantUnknown, Op: readOrganization.name,
		Message: "the token and the organization are not both those of the tenant", Hint: "check the tenant id, and that cloud names the tenant's own cloud"}
}

// Permissions returns the roles claim of the token at hand, sorted. It is for diagnosis: the
// token's signature is Graph's to check.
func (s *Source) Permissions(ctx context.Context) ([]string, error) {
	token, _, err := s.tokens.get(ctx)
	if err != nil {
		return nil, err
	}
	claims, err := claimsOf(token)
	if err != nil {
		return nil, odata.Undocumented("the token's permissions cannot be read")
	}
	slices.Sort(claims.Roles)
	return claims.Roles, nil
}

// claims are what is read of a token.
type claims struct {
	Roles  []string     `json:"roles"`
	Tenant graphsync.ID `json:"tid"`
	Nonce  string       `json:"nonce"` // of an ID token
}

func claimsOf(token string) (c claims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("the token is opaque")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(payload, &c)
}
