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
func (cl *client) onlyThis(ctx context.Context, c call, err error) error {
	one := len(c.path) > 1 || c.filters() || c.method == http.MethodPost
	if err == nil || target.CodeOf(err) != target.NotSCIM || !one || c.probe || !cl.serves(ctx) {
		return err
	}
	return asRefusal(err)
}

// serves reports whether the application answers a list as SCIM has it.
func (cl *client) serves(ctx context.Context) bool {
	cl.learned.mu.Lock()
	at := cl.learned.servedAt
	cl.learned.mu.Unlock()
	if !at.IsZero() && time.Since(at) < serveLife {
		return true
	}
	c := call{op: "probe", method: http.MethodGet, path: []string{endpoint(target.User)}, query: []string{"startIndex=1", "count=1"}, probe: true}
	ans, err := cl.send(ctx, c)
	if err == nil {
		_, err = ans.listing(c, target.User)
	}
	if err != nil {
		return false
	}
	cl.learned.mu.Lock()
	defer cl.learned.mu.Unlock()
	cl.learned.servedAt = time.Now()
	return true
}
