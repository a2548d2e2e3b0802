package msgraph

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"entrasync/graphsync"
	"entrasync/graphsync/odata"
)

// The operations of a list of users.
var (
	listUsers  = operation{"users", "User.Read.All"}
	countUsers = operation{"users/$count", "User.Read.All"}
)

var _ graphsync.Lister = (*Source)(nil)

// usersPerPage is the largest page of users (List users, $top).
const usersPerPage = 999

// Latest asks for the delta link of now ($deltatoken=latest, delta query overview). The SDK's request has
// no such parameter.
func (s *Source) Latest(ctx context.Context, stream graphsync.Stream, properties []string) (string, error) {
	page, err := s.DeltaPage(ctx, stream, properties,
		s.adapter.GetBaseUrl()+"/"+string(stream)+"/delta?$select="+url.QueryEscape(strings.Join(properties, ","))+"&$deltatoken=latest")
	if err != nil {
		return "", err
	}
	if page.Delta == "" || len(page.Changes) > 0 {
		return "", named(usersDelta, odata.Undocumented("the response to $deltatoken=latest is not a delta link alone"))
	}
	return page.Delta, nil
}

// CountUsers asks for a number as plain text. It is one of the advanced queries on directory objects, which
// take the header ConsistencyLevel.
func (s *Source) CountUsers(ctx context.Context, prefix string) (n int, err error) {
	address := s.adapter.GetBaseUrl() + "/users/$count"
	if prefix != "" {
		address += "?$filter=" + url.QueryEscape(startsWith(prefix))
	}
	info, err := s.requester.get(ctx, address)
	if err != nil {
		return 0, fmt.Errorf("%s: build request: %w", countUsers.name, err)
	}
	info.Headers.Add("ConsistencyLevel", "eventual")
	err = s.requester.call(ctx, countUsers, info, func(body []byte) (err error) {
		text := strings.TrimPrefix(string(body[:min(len(body), 64)]), "\ufeff")
		if n, err = strconv.Atoi(strings.TrimSpace(text)); err != nil || n < 0 {
			return odata.Undocumented(fmt.Sprintf("the count is %.20q", text))
		}
		return nil
	})
	return n, err
}

// ListUsers reads a page of a list. Without the header ConsistencyLevel it comes from the directory itself and
// not from the index (Advanced query capabilities).
func (s *Source) ListUsers(ctx context.Context, properties []string, prefix, link string) (*graphsync.Page, error) {
	address := link
	if link == "" {
		address = fmt.Sprintf("%s/users?$select=%s&$filter=%s&$top=%d", s.adapter.GetBaseUrl(), url.QueryEscape(strings.Join(properties, ",")),
			url.QueryEscape(startsWith(prefix)), usersPerPage)
	} else if err := s.cloud.CheckLink(link); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", listUsers.name, graphsync.ErrResync, err)
	}
	info, err := s.requester.get(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("%s: build request: %w", listUsers.name, err)
	}
	var page *graphsync.Page
	err = s.requester.call(ctx, listUsers, info, func(body []byte) (err error) {
		page, err = odata.DecodeListPage(graphsync.User, body)
		return err
	})
	if link != "" {
		err = refusedLink(err)
	}
	if err != nil {
		return nil, err
	}
	if err := s.requester.checkNext(page.Next, link); err != nil {
		return nil, named(listUsers, err)
	}
	return page, nil
}

// startsWith is the filter of the user principal names that begin with prefix. OData doubles a quote.
func startsWith(prefix string) string {
	return "startsWith(userPrincipalName,'" + strings.ReplaceAll(prefix, "'", "''") + "')"
}
