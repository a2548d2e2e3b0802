package msgraph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/graphsync/odata"

	"github.com/go-json-experiment/json/jsontext"
	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/directoryobjects"
)

// The operations that confirm an absence. getByIds documents Directory.Read.All as its least
// permission; with what is needed anyway it returns the objects of the types that may be read.
var (
	getByIDs    = operation{"directoryObjects/getByIds", "Directory.Read.All"}
	getUser     = operation{"users/{id}", "User.Read.All"}
	getManager  = operation{"users/{id}/manager", "User.Read.All"}
	getGroup    = operation{"groups/{id}", "GroupMember.Read.All"}
	deletedItem = operation{"directory/deletedItems/{id}", "User.Read.All or Group.Read.All"}
)

const idsPerCall = 1000 // getByIds, "Specify up to 1000 IDs"

// Presence asks Graph about each id. Where getByIds is not permitted it asks one by one. An
// object that is gone and whose deleted item may not be read is Unknown.
func (s *Source) Presence(ctx context.Context, kind graphsync.Kind, ids []graphsync.ID) ([]graphsync.Presence, error) {
	answers := make([]graphsync.Presence, 0, len(ids))
	forbidden := false // to read deleted items
	for batch := range slices.Chunk(ids, idsPerCall) {
		present, err := s.present(ctx, kind, batch)
		if err != nil {
			return nil, err
		}
		for _, id := range batch {
			presence := graphsync.Present
			switch {
			case present[id]:
			case forbidden:
				presence = graphsync.Unknown
			default:
				if presence, err = s.deleted(ctx, id); err != nil {
					return nil, err
				}
				forbidden = presence == graphsync.Unknown
			}
			answers = append(answers, presence)
		}
	}
	return answers, nil
}

func (s *Source) present(ctx context.Context, kind graphsync.Kind, ids []graphsync.ID) (map[graphsync.ID]bool, error) {
	request := directoryobjects.NewGetByIdsPostRequestBody()
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	request.SetIds(texts)
	request.SetTypes([]string{kind.String()})
	first, err := directoryobjects.NewGetByIdsRequestBuilderInternal(noParameters(), s.adapter).ToPostRequestInformation(ctx, request, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: build request: %w", getByIDs.name, err)
	}
	present := make(map[graphsync.ID]bool, len(ids))
	next := func(link string) (*abs.RequestInformation, error) { return s.requester.get(ctx, link) }
	decode := func(body []byte) (odata.List, func() error, error) {
		l, err := odata.DecodeList(body, func(dec *jsontext.Decoder) error {
			id, err := odata.ReadID(dec)
			present[id] = true // whatever its type: Graph was asked for this kind and its subtypes
			return err
		})
		return l, func() error { return nil }, err
	}
	err = s.requester.pages(ctx, getByIDs, first, next, decode)
	if errors.Is(err, graphsync.ErrResync) { // what is present stays so
		err = s.requester.pages(ctx, getByIDs, first, next, decode)
	}
	if e := (*graphsync.Error)(nil); errors.As(err, &e) && e.Class == graphsync.PermissionMissing {
		return s.presentOneByOne(ctx, kind, ids)
	}
	return present, err
}

// Kinds asks which of the ids are users, then which of the others are groups.
func (s *Source) Kinds(ctx context.Context, ids []graphsync.ID) ([]graphsync.Kind, error) {
	kinds := make([]graphsync.Kind, len(ids))
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		var open []graphsync.ID
		for i, id := range ids {
			if kinds[i] == 0 {
				open = append(open, id)
			}
		}
		for batch := range slices.Chunk(open, idsPerCall) {
			present, err := s.present(ctx, kind, batch)
			if err != nil {
				return nil, err
			}
			for i, id := range ids {
				if present[id] {
					kinds[i] = kind
				}
			}
		}
	}
	return kinds, nil
}

// Object reads the properties of one object, of a user the manager too when it is among them.
func (s *Source) Object(ctx context.Context, kind graphsync.Kind, id graphsync.ID, properties []string) (*graphsync.Change, error) {
	op, path := byID(kind)
	selected := slices.DeleteFunc(slices.Clone(properties), func(name string) bool { return name == "manager" || name == "members" })
	info, err := s.requester.get(ctx, s.adapter.GetBaseUrl()+path+id.String()+"?$select="+url.QueryEscape(strings.Join(selected, ",")))
	if err != nil {
		return nil, fmt.Errorf("%s: build request: %w", op.name, err)
	}
	var object *graphsync.Change
	err = s.requester.call(ctx, op, info, func(body []byte) (err error) {
		if object, err = odata.DecodeEntry(kind, body); err == nil && object.ID != id {
			err = odata.Undocumented("the response is about another object")
		}
		return err
	})
	if isMissing(err) {
		return nil, nil
	}
	if err != nil || kind != graphsync.User || !slices.Contains(properties, "manager") {
		return object, err
	}
	manager, err := s.manager(ctx, id)
	if err != nil {
		return nil, err
	}
	object.Properties = append(object.Properties, graphsync.Property{Name: "manager", Value: manager})
	return object, nil
}

// manager reads the id of a user's manager as JSON text, null for none ("List manager": 404 when
// there is none).
func (s *Source) manager(ctx context.Context, user graphsync.ID) (value []byte, err error) {
	info, err := s.requester.get(ctx, s.adapter.GetBaseUrl()+"/users/"+user.String()+"/manager?$select=id")
	if err != nil {
		return nil, fmt.Errorf("%s: build request: %w", getManager.name, err)
	}
	err = s.requester.call(ctx, getManager, info, func(body []byte) error {
		var manager struct {
			ID *graphsync.ID `json:"id"`
		}
		if err := odata.DecodeObject(body, &manager); err != nil {
			return err
		}
		if manager.ID == nil {
			return odata.Undocumented("the manager has no id")
		}
		value = []byte(`"` + manager.ID.String() + `"`)
		return nil
	})
	if isMissing(err) {
		return []byte("null"), nil
	}
	return value, err
}

// isMissing reports whether Graph itself says that there is no such object: a 404 of something in
// between does not.
func isMissing(err error) bool {
	e := (*graphsync.Error)(nil)
	return errors.As(err, &e) && e.Status == http.StatusNotFound && e.Code == "Request_ResourceNotFound"
}

// byID is the operation that reads one object of a kind, and the path before its id.
func byID(kind graphsync.Kind) (op operation, path string) {
	if kind == graphsync.Group {
		return getGroup, "/groups/"
	}
	return getUser, "/users/"
}

func (s *Source) presentOneByOne(ctx context.Context, kind graphsync.Kind, ids []graphsync.ID) (map[graphsync.ID]bool, error) {
	op, path := byID(kind)
	present := make(map[graphsync.ID]bool, len(ids))
	for _, id := range ids {
		found, err := s.exists(ctx, op, path, id)
		if err != nil {
			return nil, err
		}
		present[id] = found
	}
	return present, nil
}

// deleted answers for an object that does not exist any more.
func (s *Source) deleted(ctx context.Context, id graphsync.ID) (graphsync.Presence, error) {
	found, err := s.exists(ctx, deletedItem, "/directory/deletedItems/", id)
	e := (*graphsync.Error)(nil)
	switch {
	case errors.As(err, &e) && e.Class == graphsync.PermissionMissing:
		return graphsync.Unknown, nil
	case err != nil:
		return graphsync.Unknown, err
	case found:
		return graphsync.InDeletedItems, nil
	}
	return graphsync.Absent, nil
}

// exists asks for one object.
func (s *Source) exists(ctx context.Context, op operation, path string, id graphsync.ID) (bool, error) {
	info, err := s.requester.get(ctx, s.adapter.GetBaseUrl()+path+id.String()+"?$select=id")
	if err != nil {
		return false, fmt.Errorf("%s: build request: %w", op.name, err)
	}
	err = s.requester.call(ctx, op, info, func(body []byte) error {
		var object struct {
			ID graphsync.ID `json:"id"`
		}
		if err := odata.DecodeObject(body, &object); err != nil {
			return err
		}
		if object.ID != id {
			return odata.Undocumented("the answer is about another object")
		}
		return nil
	})
	if isMissing(err) {
		return false, nil
	}
	return err == nil, err
}

// get is the SDK's request for an address as it stands. The typed builders of deletedItems
// live in an SDK package that alone would take minutes to compile.
func (rq *requester) get(ctx context.Context, address string) (*abs.RequestInformation, error) {
	return directoryobjects.NewDirectoryObjectItemRequestBuilder(address, rq.adapter).ToGetRequestInformation(ctx, nil)
}
