package msgraph

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"entrasync/graphsync"
	"entrasync/graphsync/odata"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/groups"
	"github.com/microsoftgraph/msgraph-sdk-go/users"
)

// The operations of the delta streams.
var (
	usersDelta  = operation{"users/delta", "User.Read.All"}
	groupsDelta = operation{"groups/delta", "GroupMember.Read.All"}
)

// DeltaPage reads one page of a stream; see [graphsync.Source]. For groups the property
// "members" asks for members@delta.
func (s *Source) DeltaPage(ctx context.Context, stream graphsync.Stream, properties []string, link string) (*graphsync.Page, error) {
	op := usersDelta
	if stream == graphsync.Groups {
		op = groupsDelta
	}
	if link != "" {
		// Links of responses are checked before they are kept: the configuration has changed since.
		if err := s.cloud.CheckLink(link); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", op.name, graphsync.ErrResync, err)
		}
	}
	info, err := s.deltaRequest(ctx, stream, properties, link)
	if err != nil {
		return nil, fmt.Errorf("%s: build request: %w", op.name, err)
	}
	var page *graphsync.Page
	err = s.requester.call(ctx, op, info, func(body []byte) (err error) {
		page, err = odata.DecodePage(stream.Kind(), properties, body)
		return err
	})
	if link != "" {
		err = refusedLink(err)
	}
	if err != nil {
		return nil, err
	}
	if err := s.requester.checkNext(page.Next, link); err != nil {
		return nil, named(op, err)
	}
	if page.Delta != "" {
		if err := s.cloud.CheckLink(page.Delta); err != nil {
			return nil, named(op, err)
		}
	}
	return page, nil
}

// deltaRequest is the SDK's request for a new round, or for a link as it stands: a link
// encodes the query it came from and must not be given another.
func (s *Source) deltaRequest(ctx context.Context, stream graphsync.Stream, properties []string, link string) (*abs.RequestInformation, error) {
	switch {
	case stream == graphsync.Groups && link != "":
		return groups.NewDeltaRequestBuilder(link, s.adapter).ToGetRequestInformation(ctx, nil)
	case stream == graphsync.Groups:
		return groups.NewDeltaRequestBuilderInternal(noParameters(), s.adapter).ToGetRequestInformation(ctx,
			&groups.DeltaRequestBuilderGetRequestConfiguration{QueryParameters: &groups.DeltaRequestBuilderGetQueryParameters{Select: properties}})
	case link != "":
		return users.NewDeltaRequestBuilder(link, s.adapter).ToGetRequestInformation(ctx, nil)
	default:
		return users.NewDeltaRequestBuilderInternal(noParameters(), s.adapter).ToGetRequestInformation(ctx,
			&users.DeltaRequestBuilderGetRequestConfiguration{QueryParameters: &users.DeltaRequestBuilderGetQueryParameters{Select: properties}})
	}
}

// noParameters are the path parameters of a request below the service root; the SDK adds to them.
func noParameters() map[string]string { return map[string]string{} }

// checkNext refuses a nextLink that leads elsewhere, or back to the page it stands on.
func (rq *requester) checkNext(next, current string) error {
	switch {
	case next == "":
		return nil
	case next == current:
		return odata.Undocumented("the nextLink leads to the page it stands on")
	}
	return rq.cloud.CheckLink(next)
}

// refusesRequest reports whether a status says that Graph will not take a request as it is, however
// often it is sent. 401, 403 and 429 are about the caller, 407 and 408 about what is in between.
func refusesRequest(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

// refusedLink makes of an error about a link that Graph gave out earlier one that asks for a new
// round: links hold state of Graph's, and it has more words for having lost it than are documented
// (Directory_ExpiredPageToken is one).
func refusedLink(err error) error {
	e := (*graphsync.Error)(nil)
	if !errors.As(err, &e) || !refusesRequest(e.Status) || errors.Is(err, graphsync.ErrResync) {
		return err
	}
	e.Class, e.Err = graphsync.BadResponse, graphsync.ErrResync
	e.Message = "Microsoft Graph refuses a link that it gave out itself: " + e.Message
	e.Hint = "nothing to do: reading begins again, and no user is removed by absence alone; if this lasts, report it with the request id"
	return err
}

// named says in an error what was being done.
func named(op operation, err error) error {
	if e := (*graphsync.Error)(nil); errors.As(err, &e) {
		e.Op = op.name
		return err
	}
	return fmt.Errorf("%s: %w", op.name, err)
}
