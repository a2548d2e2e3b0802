package graphtest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"entrasync/graphsync"
)

// sourceSubscriptions are those of a source's app.
type sourceSubscriptions struct{ source *Source }

// Subscriptions implements [graphsync.Notifier].
func (s *Source) Subscriptions() graphsync.Subscriber { return sourceSubscriptions{s} }

// Subscribe implements [graphsync.Subscriber].
func (s sourceSubscriptions) Subscribe(ctx context.Context, wanted graphsync.NewSubscription) (graphsync.Subscription, error) {
	return s.subscription(ctx, http.MethodPost, "", subscriptionBody{
		Changes: "updated,deleted", Resource: "/" + string(wanted.Stream), URL: wanted.URL, Lifecycle: wanted.URL, Expires: &wanted.Expires, Secret: &wanted.Secret,
	})
}

// Renew implements [graphsync.Subscriber].
func (s sourceSubscriptions) Renew(ctx context.Context, id string, expires time.Time) (graphsync.Subscription, error) {
	renewed, err := s.subscription(ctx, http.MethodPatch, id, map[string]time.Time{"expirationDateTime": expires})
	if e := (*graphsync.Error)(nil); errors.As(err, &e) && e.Status == http.StatusNotFound {
		e.Err = graphsync.ErrNoSubscription
	}
	return renewed, err
}

func (s sourceSubscriptions) subscription(ctx context.Context, method, id string, wanted any) (got graphsync.Subscription, err error) {
	body, err := json.Marshal(wanted)
	if err != nil {
		return got, err
	}
	address := "/subscriptions"
	if id != "" {
		address += "/" + url.PathEscape(id)
	}
	err = s.source.send(ctx, "subscriptions", method, address, http.Header{"Content-Type": {"application/json"}}, body, func(body []byte) error {
		var said subscriptionBody
		err := json.Unmarshal(body, &said)
		got = said.read()
		return err
	})
	return got, err
}

func (b *subscriptionBody) read() graphsync.Subscription {
	read := graphsync.Subscription{ID: b.ID, URL: b.URL, Stream: graphsync.Users}
	if b.Resource == "/groups" {
		read.Stream = graphsync.Groups
	}
	if b.Expires != nil {
		read.Expires = *b.Expires
	}
	return read
}

// Unsubscribe implements [graphsync.Subscriber].
func (s sourceSubscriptions) Unsubscribe(ctx context.Context, id string) error {
	err := s.source.send(ctx, "subscriptions/{id}", http.MethodDelete, "/subscriptions/"+url.PathEscape(id), nil, nil, func([]byte) error { return nil })
	if e := (*graphsync.Error)(nil); errors.As(err, &e) && e.Status == http.StatusNotFound {
		return nil
	}
	return err
}

// List implements [graphsync.Subscriber].
func (s sourceSubscriptions) List(ctx context.Context) (all []graphsync.Subscription, err error) {
	err = s.source.get(ctx, "subscriptions", "/subscriptions", nil, func(body []byte) error {
		var page struct {
			Value []subscriptionBody `json:"value"`
		}
		err := json.Unmarshal(body, &page)
		for _, one := range page.Value {
			all = append(all, one.read())
		}
		return err
	})
	return all, err
}
