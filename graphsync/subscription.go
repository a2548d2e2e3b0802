package graphsync

import (
	"context"
	"errors"
	"time"
)

// SubscriptionLifetime is how long Graph keeps a subscription to users or groups at most, from its creation or its
// renewal (subscription resource type, "Subscription lifetime": 41,760 minutes).
const SubscriptionLifetime = 41_760 * time.Minute

// ErrNoSubscription says that Graph has no subscription of that id: it expired, or was removed.
var ErrNoSubscription = errors.New("there is no such subscription")

// A Subscription is Graph's promise to post a change notification to an address when an object of a stream changes.
type Subscription struct {
	ID      string // opaque
	Stream  Stream // "" for a resource that is not one of the streams
	URL     string // where notifications go
	Expires time.Time
}

// A NewSubscription is a subscription to be made.
type NewSubscription struct {
	Stream  Stream
	URL     string // for notifications and those of the subscription's life
	Secret  string // clientState, at most 128 characters: comes back in each notification
	Expires time.Time
}

// A Notifier is a Source whose directory also posts change notifications.
type Notifier interface {
	// Subscriptions are those of the app in the tenant.
	Subscriptions() Subscriber
}

// A Subscriber makes, renews and ends subscriptions. Graph does not say when it loses a notification: a client has to read
// the delta stream as well.
type Subscriber interface {
	// Subscribe makes a subscription. Graph posts a validation request to the address before it returns, and refuses
	// the subscription when that is not answered. An *[Error] of class [SubscriptionLimit] says that the tenant or the
	// app has as many as it may have.
	Subscribe(ctx context.Context, wanted NewSubscription) (Subscription, error)

	// Renew gives a subscription another end, and authorizes it again where Graph asked for that. It wraps
	// [ErrNoSubscription] when there is none.
	Renew(ctx context.Context, id string, expires time.Time) (Subscription, error)

	// Unsubscribe ends a subscription. One that has ended is no error.
	Unsubscribe(ctx context.Context, id string) error

	// List returns the subscriptions of the app in the tenant.
	List(ctx context.Context) ([]Subscription, error)
}

// SubscriptionPermission is the application permission that a subscription to a stream takes (subscription: create,
// "Permissions").
func SubscriptionPermission(stream Stream) string {
	if stream == Groups {
		return "Group.Read.All"
	}
	return "User.Read.All"
}
