package msgraph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/odata"
	"entrasync/graphsync/paging"

	abs "github.com/microsoft/kiota-abstractions-go"
)

// subscriptionPatience is how long one request about subscriptions may be repeated: they are made between the cycles of a
// tenant, which wait meanwhile.
const subscriptionPatience = 5 * time.Second

// subscriptions are those of a source's app in its tenant.
type subscriptions struct{ *requester }

// Subscriptions implements [graphsync.Notifier].
func (s *Source) Subscriptions() graphsync.Subscriber { return subscriptions{s.requester} }

// subscription is the resource as Graph has it (subscription resource type).
type subscription struct {
	ID       string    `json:"id,omitempty"`
	Changes  string    `json:"changeType,omitempty"`
	Resource string    `json:"resource,omitempty"`
	URL      string    `json:"notificationUrl,omitempty"`
	Life     string    `json:"lifecycleNotificationUrl,omitempty"`
	Expires  time.Time `json:"expirationDateTime"`
	Secret   string    `json:"clientState,omitempty"`
}

func (s subscription) read() graphsync.Subscription {
	read := graphsync.Subscription{ID: s.ID, URL: s.URL, Expires: s.Expires}
	switch stream := graphsync.Stream(strings.ToLower(strings.Trim(s.Resource, "/"))); stream {
	case graphsync.Users, graphsync.Groups:
		read.Stream = stream
	}
	return read
}

// Subscribe implements [graphsync.Subscriber]. Creations arrive as "updated" for users and groups, and "deleted" is a
// deletion for good (change notifications for users and groups).
func (s subscriptions) Subscribe(ctx context.Context, wanted graphsync.NewSubscription) (graphsync.Subscription, error) {
	op := operation{"subscriptions", graphsync.SubscriptionPermission(wanted.Stream)}
	return s.subscription(ctx, op, abs.POST, "", subscription{
		Changes: "updated,deleted", Resource: "/" + string(wanted.Stream), URL: wanted.URL, Life: wanted.URL, Expires: wanted.Expires.UTC(), Secret: wanted.Secret,
	})
}

// Renew implements [graphsync.Subscriber]. A renewal authorizes the subscription again ("reauthorizationRequired").
func (s subscriptions) Renew(ctx context.Context, id string, expires time.Time) (graphsync.Subscription, error) {
	renewed, err := s.subscription(ctx, operation{"subscriptions/{id}", "User.Read.All"}, abs.PATCH, id, subscription{Expires: expires.UTC()})
	if e := (*graphsync.Error)(nil); errors.As(err, &e) && e.Status == http.StatusNotFound {
		e.Err = graphsync.ErrNoSubscription
	}
	return renewed, err
}

func (s subscriptions) subscription(ctx context.Context, op operation, method abs.HttpMethod, id string, wanted subscription) (graphsync.Subscription, error) {
	body, err := json.Marshal(wanted)
	if err != nil {
		return graphsync.Subscription{}, fmt.Errorf("%s: %w", op.name, err)
	}
	info, err := s.subscriptionRequest(method, id)
	if err != nil {
		return graphsync.Subscription{}, fmt.Errorf("%s: build request: %w", op.name, err)
	}
	info.SetStreamContentAndContentType(body, "application/json")
	var got subscription
	err = s.callWithin(ctx, subscriptionPatience, op, info, func(body []byte) error {
		if err := json.Unmarshal(body, &got); err != nil || got.ID == "" || got.Expires.IsZero() {
			return odata.Undocumented("the subscription has no id or no expirationDateTime")
		}
		return nil
	})
	return got.read(), err
}

// Unsubscribe implements [graphsync.Subscriber].
func (s subscriptions) Unsubscribe(ctx context.Context, id string) error {
	info, err := s.subscriptionRequest(abs.DELETE, id)
	if err != nil {
		return fmt.Errorf("subscriptions/{id}: build request: %w", err)
	}
	err = s.callWithin(ctx, subscriptionPatience, operation{"subscriptions/{id}", "User.Read.All"}, info, func([]byte) error { return nil })
	if e := (*graphsync.Error)(nil); errors.As(err, &e) && e.Status == http.StatusNotFound {
		return nil
	}
	return err
}

// subscriptionLimits end a list that has no end: an app has at most 100 in a tenant.
var subscriptionLimits = paging.Limits{Pages: 20, Empty: 5, Same: 1}

// List implements [graphsync.Subscriber].
func (s subscriptions) List(ctx context.Context) (all []graphsync.Subscription, err error) {
	op := operation{"subscriptions", "User.Read.All"}
	info, err := s.subscriptionRequest(abs.GET, "")
	loop := paging.New(subscriptionLimits)
	for err == nil {
		var page struct {
			Value json.RawMessage `json:"value"`
			Next  string          `json:"@odata.nextLink"`
		}
		var found []subscription
		err = s.callWithin(ctx, subscriptionPatience, op, info, func(body []byte) error {
			page.Next = ""
			if err := json.Unmarshal(body, &page); err != nil || json.Unmarshal(page.Value, &found) != nil {
				return odata.Undocumented("the list of subscriptions cannot be read")
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, one := range found {
			all = append(all, one.read())
		}
		if page.Next == "" {
			return all, nil
		}
		if err := s.checkNext(page.Next, ""); err != nil {
			return nil, named(op, err)
		}
		if err := loop.Page(len(found), page.Value, page.Next); err != nil {
			return nil, named(op, odata.Undocumented(err.Error()))
		}
		info, err = s.get(ctx, page.Next)
	}
	return nil, fmt.Errorf("%s: build request: %w", op.name, err)
}

// subscriptionRequest addresses the list of subscriptions, or one of them.
func (s subscriptions) subscriptionRequest(method abs.HttpMethod, id string) (*abs.RequestInformation, error) {
	address := s.adapter.GetBaseUrl() + "/subscriptions"
	if id != "" {
		address += "/" + url.PathEscape(id)
	}
	info := abs.NewRequestInformation()
	info.Method = method
	parsed, err := url.Parse(address)
	if err == nil {
		info.SetUri(*parsed)
	}
	return info, err
}
