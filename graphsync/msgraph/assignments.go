package msgraph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"

	"entrasync/graphsync"
	"entrasync/graphsync/odata"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/serviceprincipals"
	"golang.org/x/sync/errgroup"
)

// The operations on app role assignments.
var (
	readAssignments = operation{"appRoleAssignedTo", "Application.Read.All"}
	getAssignment   = operation{"appRoleAssignedTo/{id}", "Application.Read.All"}
)

// lookupsAtOnce bounds the direct questions that are under way.
const lookupsAtOnce = 8

// Assignments reads all rows of appRoleAssignedTo. The count on the first page is of the
// moment of that page: assignments made while later pages are read make the read incomplete,
// and the next cycle reads again. Where Graph refuses to count, the rows are read without.
func (s *Source) Assignments(ctx context.Context, app graphsync.ID, yield func([]graphsync.Assignment) error) (graphsync.AssignmentList, error) {
	list, err := s.assignments(ctx, app, true, yield)
	e := (*graphsync.Error)(nil)
	if errors.As(err, &e) && list.Rows == 0 && !errors.Is(err, graphsync.ErrResync) &&
		(e.Status == http.StatusBadRequest || e.Status == http.StatusNotImplemented) {
		return s.assignments(ctx, app, false, yield)
	}
	return list, err
}

func (s *Source) assignments(ctx context.Context, app graphsync.ID, count bool, yield func([]graphsync.Assignment) error) (list graphsync.AssignmentList, err error) {
	headers := abs.NewRequestHeaders()
	top := int32(999)
	parameters := &serviceprincipals.ItemAppRoleAssignedToRequestBuilderGetQueryParameters{Top: &top}
	if count {
		// Without it Graph ignores $count here (advanced queries on directory objects).
		headers.Add("ConsistencyLevel", "eventual")
		parameters.Count = &count
	}
	first, err := serviceprincipals.NewServicePrincipalsRequestBuilderInternal(noParameters(), s.adapter).
		ByServicePrincipalId(app.String()).AppRoleAssignedTo().
		ToGetRequestInformation(ctx, &serviceprincipals.ItemAppRoleAssignedToRequestBuilderGetRequestConfiguration{Headers: headers, QueryParameters: parameters})
	if err != nil {
		return list, fmt.Errorf("%s: build request: %w", readAssignments.name, err)
	}
	next := func(link string) (*abs.RequestInformation, error) {
		return serviceprincipals.NewItemAppRoleAssignedToRequestBuilder(link, s.adapter).
			ToGetRequestInformation(ctx, &serviceprincipals.ItemAppRoleAssignedToRequestBuilderGetRequestConfiguration{Headers: headers})
	}
	counted := int64(-1)
	err = s.requester.pages(ctx, readAssignments, first, next, func(body []byte) (odata.List, func() error, error) {
		page, skipped, l, err := odata.DecodeAssignments(body)
		return l, func() error {
			list.Rows += l.Entries
			list.Skipped = append(list.Skipped, skipped...)
			if counted < 0 {
				counted = l.Count
			}
			switch {
			case counted >= 0 && int64(list.Rows) > counted+assignmentsMeanwhile:
				return named(readAssignments, odata.Undocumented(fmt.Sprintf("the list has no end: %d rows came and %d were counted", list.Rows, counted)))
			case len(list.Skipped) > skippedAssignments:
				return named(readAssignments, odata.Undocumented(fmt.Sprintf("more than %d rows cannot be understood: %s", skippedAssignments, list.Skipped[0].Reason)))
			}
			if len(page) == 0 {
				return nil
			}
			return yield(page)
		}, err
	})
	if err != nil {
		return list, err
	}
	if list.Counted = counted == int64(list.Rows); counted >= 0 && !list.Counted {
		return list, fmt.Errorf("%s: %w: %d rows of %d", readAssignments.name, graphsync.ErrIncomplete, list.Rows, counted)
	}
	return list, nil
}

// assignmentsMeanwhile is how many more rows than were counted are read before the list is taken for one
// without an end, skippedAssignments how many rows that cannot be understood are named.
const (
	assignmentsMeanwhile = 20_000
	skippedAssignments   = 10_000
)

// AssignmentPresence asks for each assignment by its own id (Get appRoleAssignment). Once Graph has
// refused one of these requests, the others are Unknown too.
func (s *Source) AssignmentPresence(ctx context.Context, app graphsync.ID, ids []string) ([]graphsync.Presence, error) {
	answers := make([]graphsync.Presence, len(ids))
	var refused atomic.Bool
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookupsAtOnce)
	for i, id := range ids {
		group.Go(func() (err error) {
			if refused.Load() {
				return nil
			}
			answers[i], err = s.assignment(ctx, app, id)
			if answers[i] == graphsync.Unknown {
				refused.Store(true)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return answers, nil
}

// assignment asks for one row. Only Graph's own error for a missing object counts as no; another
// refusal of the request (4xx) tells nothing.
func (s *Source) assignment(ctx context.Context, app graphsync.ID, id string) (graphsync.Presence, error) {
	info, err := s.requester.get(ctx, s.adapter.GetBaseUrl()+"/servicePrincipals/"+app.String()+"/appRoleAssignedTo/"+url.PathEscape(id))
	if err != nil {
		return graphsync.Unknown, fmt.Errorf("%s: build request: %w", getAssignment.name, err)
	}
	err = s.requester.call(ctx, getAssignment, info, func(body []byte) error {
		var row struct {
			ID string `json:"id"`
		}
		if err := odata.DecodeObject(body, &row); err != nil {
			return err
		}
		if row.ID != id {
			return odata.Undocumented("the response is about another assignment")
		}
		return nil
	})
	e := (*graphsync.Error)(nil)
	switch {
	case err == nil:
		return graphsync.Present, nil
	case !errors.As(err, &e):
		return graphsync.Unknown, err
	case isMissing(err):
		return graphsync.Absent, nil
	case refusesRequest(e.Status), e.Status == http.StatusForbidden && e.Class == graphsync.PermissionMissing:
		return graphsync.Unknown, nil
	}
	return graphsync.Unknown, err
}
