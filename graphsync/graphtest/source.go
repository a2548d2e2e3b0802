package graphtest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/odata"

	"github.com/go-json-experiment/json/jsontext"
)

// A Source reads one tenant of a server in process, as an app with a client secret, and without the Graph
// SDK: tests of what reads a directory build and run in seconds with it. Its requests pass through the
// server's routes, permissions and faults.
//
// It sends each request once. It does not retry, does not check where links lead and does not say which
// permission is missing: graphsync/msgraph does, and is what runs in production. What the two return
// without faults is the same (graphsync/msgraph tests that).
type Source struct {
	server           *Server
	tenant           graphsync.ID
	clientID, secret string

	mu      sync.Mutex // guards the rest
	token   string
	date    time.Time // of the last response
	traffic graphsync.Traffic
}

var (
	_ graphsync.Source = (*Source)(nil)
	_ graphsync.Lister = (*Source)(nil)
	_ graphsync.Clock  = (*Source)(nil)

	_ graphsync.Notifier = (*Source)(nil)
)

// Source returns a source that reads the tenant as the app.
func (s *Server) Source(tenant graphsync.ID, clientID, secret string) *Source {
	return &Source{server: s, tenant: tenant, clientID: clientID, secret: secret}
}

// Refresh forgets the token: the next request obtains one with the permissions as they are now.
func (s *Source) Refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = ""
}

// Traffic implements [graphsync.Source].
func (s *Source) Traffic() graphsync.Traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.traffic
}

// Time implements [graphsync.Clock] with the last response's date as it was then.
func (s *Source) Time() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.date, !s.date.IsZero()
}

// Permissions implements [graphsync.Source].
func (s *Source) Permissions(ctx context.Context) ([]string, error) {
	token, err := s.bearer(ctx)
	if err != nil {
		return nil, err
	}
	var claims struct {
		Roles []string `json:"roles"`
	}
	_, payload, _ := strings.Cut(token, ".")
	payload, _, _ = strings.Cut(payload, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	if err != nil {
		return nil, fmt.Errorf("read the token's roles: %w", err)
	}
	slices.Sort(claims.Roles)
	return claims.Roles, nil
}

// DeltaPage implements [graphsync.Source].
func (s *Source) DeltaPage(ctx context.Context, stream graphsync.Stream, properties []string, link string) (page *graphsync.Page, err error) {
	address := link
	if link == "" {
		address = "/" + string(stream) + "/delta?$select=" + selected(properties)
	}
	err = s.get(ctx, string(stream)+"/delta", address, nil, func(body []byte) error {
		page, err = odata.DecodePage(stream.Kind(), properties, body)
		return err
	})
	return page, refused(err, link != "")
}

// Latest implements [graphsync.Lister].
func (s *Source) Latest(ctx context.Context, stream graphsync.Stream, properties []string) (link string, err error) {
	err = s.get(ctx, string(stream)+"/delta", "/"+string(stream)+"/delta?$select="+selected(properties)+"&$deltatoken=latest", nil, func(body []byte) error {
		page, err := odata.DecodePage(stream.Kind(), properties, body)
		if err == nil {
			link = page.Delta
		}
		return err
	})
	return link, err
}

// CountUsers implements [graphsync.Lister].
func (s *Source) CountUsers(ctx context.Context, prefix string) (n int, err error) {
	address := "/users/$count"
	if prefix != "" {
		address += "?$filter=" + startsWith(prefix)
	}
	err = s.get(ctx, "users/$count", address, eventual(), func(body []byte) error {
		n, err = strconv.Atoi(strings.TrimPrefix(string(body), "\ufeff"))
		return err
	})
	return n, err
}

// ListUsers implements [graphsync.Lister].
func (s *Source) ListUsers(ctx context.Context, properties []string, prefix, link string) (page *graphsync.Page, err error) {
	address := link
	if link == "" {
		address = "/users?$select=" + selected(properties) + "&$filter=" + startsWith(prefix) + "&$top=999"
	}
	err = s.get(ctx, "users", address, nil, func(body []byte) error {
		page, err = odata.DecodeListPage(graphsync.User, body)
		return err
	})
	return page, refused(err, link != "")
}

// App implements [graphsync.Source].
func (s *Source) App(ctx context.Context, appID string) (app *graphsync.App, err error) {
	err = s.get(ctx, "servicePrincipals", "/servicePrincipals(appId='"+url.PathEscape(appID)+"')?$select=id,appId,displayName,accountEnabled,appRoleAssignmentRequired,appRoles",
		nil, func(body []byte) error {
			app, err = odata.DecodeApp(body)
			return err
		})
	if e := (*graphsync.Error)(nil); errors.As(err, &e) && e.Status == http.StatusNotFound {
		e.Class = graphsync.ConsentMissing
	}
	return app, err
}

// Assignments implements [graphsync.Source].
func (s *Source) Assignments(ctx context.Context, app graphsync.ID, yield func([]graphsync.Assignment) error) (list graphsync.AssignmentList, err error) {
	counted := int64(-1)
	err = s.pages(ctx, "appRoleAssignedTo", "/servicePrincipals/"+app.String()+"/appRoleAssignedTo?$top=999&$count=true", eventual(), func(body []byte) (string, error) {
		page, skipped, l, err := odata.DecodeAssignments(body)
		if err != nil {
			return "", err
		}
		if counted < 0 {
			counted = l.Count
		}
		list.Rows += l.Entries
		list.Skipped = append(list.Skipped, skipped...)
		if len(page) > 0 {
			err = yield(page)
		}
		return l.Next, err
	})
	if err != nil {
		return list, err
	}
	if list.Counted = counted == int64(list.Rows); counted >= 0 && !list.Counted {
		return list, fmt.Errorf("appRoleAssignedTo: %w: %d rows of %d", graphsync.ErrIncomplete, list.Rows, counted)
	}
	return list, nil
}

// AssignmentPresence implements [graphsync.Source].
func (s *Source) AssignmentPresence(ctx context.Context, app graphsync.ID, ids []string) ([]graphsync.Presence, error) {
	found := make([]graphsync.Presence, 0, len(ids))
	for _, id := range ids {
		p, err := s.presence(ctx, "/servicePrincipals/"+app.String()+"/appRoleAssignedTo/"+url.PathEscape(id))
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

// Members implements [graphsync.Source].
func (s *Source) Members(ctx context.Context, group graphsync.ID, yield func([]graphsync.MemberChange) error) (skipped []graphsync.BadRecord, err error) {
	err = s.pages(ctx, "groups/members", "/groups/"+group.String()+"/members?$select=id&$top=999", nil, func(body []byte) (string, error) {
		page, bad, l, err := odata.DecodeMembers(group, body)
		skipped = append(skipped, bad...)
		if err == nil && len(page) > 0 {
			err = yield(page)
		}
		return l.Next, err
	})
	return skipped, err
}

// Object implements [graphsync.Source].
func (s *Source) Object(ctx context.Context, kind graphsync.Kind, id graphsync.ID, properties []string) (object *graphsync.Change, err error) {
	own := slices.DeleteFunc(slices.Clone(properties), func(name string) bool { return name == "manager" || name == "members" })
	err = s.get(ctx, kind.String(), "/"+kind.String()+"s/"+id.String()+"?$select="+selected(own), nil, func(body []byte) error {
		object, err = odata.DecodeEntry(kind, body)
		return err
	})
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil || kind != graphsync.User || !slices.Contains(properties, "manager") {
		return object, err
	}
	manager := []byte("null")
	err = s.get(ctx, "manager", "/users/"+id.String()+"/manager?$select=id", nil, func(body []byte) error {
		var said struct {
			ID graphsync.ID `json:"id"`
		}
		err := json.Unmarshal(body, &said)
		manager = []byte(`"` + said.ID.String() + `"`)
		return err
	})
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	object.Properties = append(object.Properties, graphsync.Property{Name: "manager", Value: manager})
	return object, nil
}

// Kinds implements [graphsync.Source].
func (s *Source) Kinds(ctx context.Context, ids []graphsync.ID) ([]graphsync.Kind, error) {
	kinds := make([]graphsync.Kind, len(ids))
	for _, kind := range []graphsync.Kind{graphsync.Group, graphsync.User} {
		present, err := s.byIDs(ctx, kind, ids)
		if err != nil {
			return nil, err
		}
		for i, id := range ids {
			if present[id] {
				kinds[i] = kind
			}
		}
	}
	return kinds, nil
}

// Presence implements [graphsync.Source].
func (s *Source) Presence(ctx context.Context, kind graphsync.Kind, ids []graphsync.ID) ([]graphsync.Presence, error) {
	present, err := s.byIDs(ctx, kind, ids)
	if err != nil {
		return nil, err
	}
	found := make([]graphsync.Presence, len(ids))
	for i, id := range ids {
		if found[i] = graphsync.Present; present[id] {
			continue
		}
		if found[i], err = s.presence(ctx, "/directory/deletedItems/"+id.String()+"?$select=id"); err != nil {
			return nil, err
		}
		if found[i] == graphsync.Present {
			found[i] = graphsync.InDeletedItems
		}
	}
	return found, nil
}

// Organization implements [graphsync.Source].
func (s *Source) Organization(ctx context.Context) (organization graphsync.Organization, err error) {
	err = s.get(ctx, "organization", "/organization?$select=id,displayName,verifiedDomains", nil, func(body []byte) error {
		organization, err = odata.DecodeOrganization(body)
		return err
	})
	return organization, err
}

// byIDs asks which of the ids are objects of the kind (getByIds, at most 1,000 a request).
func (s *Source) byIDs(ctx context.Context, kind graphsync.Kind, ids []graphsync.ID) (map[graphsync.ID]bool, error) {
	present := map[graphsync.ID]bool{}
	for batch := range slices.Chunk(ids, 1000) {
		body, err := json.Marshal(map[string]any{"ids": batch, "types": []string{kind.String()}})
		if err != nil {
			return nil, err
		}
		err = s.send(ctx, "getByIds", http.MethodPost, "/directoryObjects/getByIds", http.Header{"Content-Type": {"application/json"}}, body, func(body []byte) error {
			_, err := odata.DecodeList(body, func(dec *jsontext.Decoder) error {
				id, err := odata.ReadID(dec)
				present[id] = true
				return err
			})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return present, nil
}

// presence asks for one object: Unknown when the app may not read it.
func (s *Source) presence(ctx context.Context, address string) (graphsync.Presence, error) {
	err := s.get(ctx, "presence", address, nil, func([]byte) error { return nil })
	e := (*graphsync.Error)(nil)
	switch {
	case err == nil:
		return graphsync.Present, nil
	case isNotFound(err):
		return graphsync.Absent, nil
	case errors.As(err, &e) && e.Class == graphsync.PermissionMissing:
		return graphsync.Unknown, nil
	}
	return graphsync.Unknown, err
}

// pages reads a collection to its end. page returns the link to the next one.
func (s *Source) pages(ctx context.Context, op, address string, headers http.Header, page func(body []byte) (next string, err error)) error {
	for further := false; address != ""; further = true {
		err := s.get(ctx, op, address, headers, func(body []byte) (err error) {
			address, err = page(body)
			return err
		})
		if err := refused(err, further); err != nil {
			return err
		}
	}
	return nil
}
