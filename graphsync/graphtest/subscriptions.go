package graphtest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
)

// Limits of subscriptions (subscription resource type; change notifications, "Latency" and "Subscription lifetime").
const (
	leastLifetime     = 45 * time.Minute // a shorter one is made this long
	subscriptionLimit = 100              // of an app in a tenant
	longestSecret     = 128
)

var (
	watchUsers  = readUsers
	watchGroups = []string{"Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	watchAny    = slices.Concat(readAny, watchGroups)
)

// subscriptions answers calls about subscriptions for change notifications.
type subscriptions struct{ call *call }

func onSubscriptions(response func(subscriptions) (*Response, *graphError)) handler {
	return func(c *call) (*Response, *graphError) { return response(subscriptions{c}) }
}

// A subscription of an app to the users or groups of a tenant.
type subscription struct {
	id, app     string
	tenant      *Tenant
	stream      graphsync.Stream
	changes     []string
	url, life   string
	secret      string
	expires     time.Time
	reauthorize bool // asked for and not done
}

// subscriptionBody is the resource on the wire.
type subscriptionBody struct {
	Context   string     `json:"@odata.context,omitempty"`
	ID        string     `json:"id,omitempty"`
	Resource  string     `json:"resource,omitempty"`
	App       string     `json:"applicationId,omitempty"`
	Changes   string     `json:"changeType,omitempty"`
	Secret    *string    `json:"clientState"`
	URL       string     `json:"notificationUrl,omitempty"`
	Lifecycle string     `json:"lifecycleNotificationUrl,omitempty"`
	Expires   *time.Time `json:"expirationDateTime,omitempty"`
	Creator   string     `json:"creatorId,omitempty"`
}

func (s *subscription) body(context string) subscriptionBody {
	ends := s.expires.UTC()
	return subscriptionBody{Context: context, ID: s.id, Resource: "/" + string(s.stream), App: s.app, Changes: strings.Join(s.changes, ","), URL: s.url, Lifecycle: s.life, Expires: &ends, Creator: s.app}
}

func (sc subscriptions) context() string { return sc.call.base + "/v1.0/$metadata#subscriptions" }

func (sc subscriptions) create() (*Response, *graphError) {
	var body subscriptionBody
	if err := sc.call.decode(&body); err != nil {
		return nil, err
	}
	made, refusal := sc.read(body)
	if refusal != nil {
		return nil, refusal
	}
	n := &sc.call.s.notifier
	if n.of(made.tenant, made.app) >= subscriptionLimit {
		return nil, refuse(http.StatusForbidden, "ExtensionError", "Operation: Create; Exception: [Status Code: Forbidden; Reason: App '%s' has reached its limit of '%d' 'subscription' on tenant '%s']", made.app, subscriptionLimit, made.tenant.ID())
	}
	for _, address := range []string{made.url, made.life} {
		if address == "" {
			continue
		}
		if err := n.validate(sc.call.r.Context(), address, sc.call.id); err != nil {
			return nil, refuse(http.StatusBadRequest, "ValidationError", "Subscription validation request failed. %v", err)
		}
	}
	n.add(made)
	created := made.body(sc.context() + "/$entity")
	created.Secret = &made.secret
	return jsonResponse(http.StatusCreated, created), nil
}

// read checks what is asked for as Graph does.
func (sc subscriptions) read(body subscriptionBody) (*subscription, *graphError) {
	s := &subscription{app: sc.call.app, tenant: sc.call.tenant, url: body.URL, life: body.Lifecycle, stream: graphsync.Stream(strings.ToLower(strings.Trim(body.Resource, "/")))}
	if body.Secret != nil {
		s.secret = *body.Secret
	}
	switch {
	case s.stream == graphsync.Users && !sc.call.mayAny(watchUsers), s.stream == graphsync.Groups && !sc.call.mayAny(watchGroups):
		return nil, insufficient()
	case s.stream != graphsync.Users && s.stream != graphsync.Groups:
		return nil, refuse(http.StatusNotImplemented, "notImplemented", "The emulator has subscriptions to /users and /groups only.")
	case len(s.secret) > longestSecret:
		return nil, refuse(http.StatusBadRequest, "InvalidRequest", "clientState must not be longer than %d characters.", longestSecret)
	case body.Expires == nil:
		return nil, refuse(http.StatusBadRequest, "InvalidRequest", "expirationDateTime is a required property for subscription creation.")
	}
	for change := range strings.SplitSeq(body.Changes, ",") {
		if change = strings.TrimSpace(change); change != "created" && change != "updated" && change != "deleted" {
			return nil, refuse(http.StatusBadRequest, "InvalidRequest", "Invalid 'changeType' attribute: '%s'.", body.Changes)
		}
		s.changes = append(s.changes, change)
	}
	for name, address := range map[string]string{"notificationUrl": s.url, "lifecycleNotificationUrl": s.life} {
		u, err := url.Parse(address)
		if name == "lifecycleNotificationUrl" && address == "" {
			continue
		}
		if err != nil || u.Scheme != "https" && !(u.Scheme == "http" && net.ParseIP(u.Hostname()).IsLoopback()) {
			return nil, refuse(http.StatusBadRequest, "InvalidRequest", "The %s property must be a valid HTTPS address.", name)
		}
	}
	return s, sc.until(s, *body.Expires)
}

// until sets when a subscription ends.
func (sc subscriptions) until(s *subscription, ends time.Time) *graphError {
	now := sc.call.now()
	if ends.Sub(now) > graphsync.SubscriptionLifetime+time.Minute {
		return refuse(http.StatusBadRequest, "ExtensionError", "Operation: Create; Exception: [Status Code: BadRequest; Reason: Subscription expiration can only be %d minutes in the future.]", graphsync.SubscriptionLifetime/time.Minute)
	}
	if ends.Before(now) {
		return refuse(http.StatusBadRequest, "InvalidRequest", "Subscription expirationDateTime must be in the future.")
	}
	if s.expires = ends; ends.Before(now.Add(leastLifetime)) {
		s.expires = now.Add(leastLifetime)
	}
	return nil
}

func (sc subscriptions) list() (*Response, *graphError) {
	shown := []subscriptionBody{}
	for _, s := range sc.call.s.notifier.all(sc.call.now()) {
		if s.tenant == sc.call.tenant && s.app == sc.call.app {
			shown = append(shown, s.body(""))
		}
	}
	return jsonResponse(http.StatusOK, map[string]any{"@odata.context": sc.context(), "value": shown}), nil
}

// change runs what a call does to the subscription it names.
func (sc subscriptions) change(change func(*subscription) (*Response, *graphError)) (*Response, *graphError) {
	n := &sc.call.s.notifier
	n.mu.Lock()
	defer n.mu.Unlock()
	n.expire(sc.call.now())
	for _, s := range n.subscriptions {
		if s.id == sc.call.args[0] && s.tenant == sc.call.tenant && s.app == sc.call.app {
			return change(s)
		}
	}
	return nil, refuse(http.StatusNotFound, "ResourceNotFound", "The object was not found.")
}

func (sc subscriptions) get() (*Response, *graphError) {
	return sc.change(func(s *subscription) (*Response, *graphError) {
		return jsonResponse(http.StatusOK, s.body(sc.context()+"/$entity")), nil
	})
}

// renew gives a subscription another end, which authorizes it again too.
func (sc subscriptions) renew() (*Response, *graphError) {
	var body struct {
		Expires *time.Time `json:"expirationDateTime"`
	}
	if err := sc.call.decode(&body); err != nil {
		return nil, err
	}
	return sc.change(func(s *subscription) (*Response, *graphError) {
		if body.Expires == nil {
			return nil, refuse(http.StatusBadRequest, "InvalidRequest", "expirationDateTime is missing.")
		}
		if err := sc.until(s, *body.Expires); err != nil {
			return nil, err
		}
		s.reauthorize = false
		return jsonResponse(http.StatusOK, s.body(sc.context()+"/$entity")), nil
	})
}

func (sc subscriptions) authorizeAgain() (*Response, *graphError) {
	return sc.change(func(s *subscription) (*Response, *graphError) {
		s.reauthorize = false
		return &Response{Status: http.StatusNoContent}, nil
	})
}

func (sc subscriptions) delete() (*Response, *graphError) {
	n := &sc.call.s.notifier
	return sc.change(func(s *subscription) (*Response, *graphError) {
		n.subscriptions = slices.DeleteFunc(n.subscriptions, func(o *subscription) bool { return o == s })
		n.active.Store(int64(len(n.subscriptions)))
		return &Response{Status: http.StatusNoContent}, nil
	})
}

// notice is one entry of a notification's value (changeNotification resource type).
func (s *subscription) notice(more map[string]any) map[string]any {
	entry := map[string]any{
		"subscriptionId": s.id, "subscriptionExpirationDateTime": s.expires.UTC().Format(time.RFC3339), "tenantId": s.tenant.ID().String(), "clientState": s.secret,
	}
	for name, value := range more {
		entry[name] = value
	}
	return entry
}

// changed is the entry for a changed object.
func (s *subscription) changed(id graphsync.ID, change string) map[string]any {
	kind := "User"
	if s.stream == graphsync.Groups {
		kind = "Group"
	}
	path := fmt.Sprintf("%ss/%s", kind, id)
	return s.notice(map[string]any{
		"changeType": change, "resource": path,
		"resourceData": map[string]any{"@odata.type": "#Microsoft.Graph." + kind, "@odata.id": path, "id": id.String(), "organizationId": s.tenant.ID().String()},
	})
}

func collection(entries ...map[string]any) []byte {
	text, err := json.Marshal(map[string]any{"value": entries})
	if err != nil {
		panic("graphtest: " + err.Error())
	}
	return text
}
