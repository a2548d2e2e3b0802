package scim

import (
	"context"
	"net/http"
	"time"

	"entrasync/target"
)

// serveLife is how long an application that answered a list as SCIM has it is taken to speak SCIM.
const serveLife = time.Minute

// onlyThis keeps one odd response about one resource from ending everything: what is not SCIM is a
// refusal of this call as long as the application answers a list as SCIM has it. A firewall that
// dislikes a name, and a proxy's error page, are such.
func (a *Adapter) onlyThis(ctx context.Context, c call, err error) error {
	one := len(c.path) > 1 || c.filters() || c.method == http.MethodPost
	if err == nil || target.CodeOf(err) != target.NotSCIM || !one || c.probe || !a.serves(ctx) {
		return err
	}
	return asRefusal(err)
}

// serves reports whether the application answers a list as SCIM has it.
func (a *Adapter) serves(ctx context.Context) bool {
	a.learned.mu.Lock()
	at := a.learned.servedAt
	a.learned.mu.Unlock()
	if !at.IsZero() && time.Since(at) < serveLife {
		return true
	}
	c := call{op: "probe", method: http.MethodGet, path: []string{endpoint(target.User)}, query: []string{"startIndex=1", "count=1"}, probe: true}
	ans, err := a.send(ctx, c)
	if err == nil {
		_, err = ans.listing(c, target.User)
	}
	if err != nil {
		return false
	}
	a.learned.mu.Lock()
	defer a.learned.mu.Unlock()
	a.learned.servedAt = time.Now()
	return true
}
