package check

import (
	"fmt"
	"strings"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/consentweb"
	"entrasync/cmd/internal/subscriptions"
	"entrasync/graphsync"
)

// notifications reports where Graph has to reach the service to notify of changes, and how the subscriptions of the tenants stand,
// where the state is open.
func (c *Checker) notifications(s *Section, syncs []*compile.Sync) {
	cfg := c.worker.Config
	wanted := map[graphsync.ID]string{} // names
	for _, one := range syncs {
		if n := cfg.NotificationsOf(one.Section); n.Users || n.Groups {
			wanted[one.Tenant] = one.TenantName
		}
	}
	if n := cfg.Notifications; cfg.Consent == nil || len(wanted) == 0 && (n == nil || !n.Users && !n.Groups) {
		return
	}
	address := consentweb.NotificationsURL(cfg.Consent.PublicURL)
	s.Pass("notifications", "%s must be reachable for Microsoft Graph", address)
	if !strings.HasPrefix(address, "https://") {
		s.warn("notifications", "Microsoft Graph posts to https addresses only", "give consent.public_url as Graph reaches it, with https")
	}
	if c.worker.Store == nil {
		return
	}
	tenants, err := c.worker.Tenants.List()
	if err != nil {
		s.Fail("notifications", err)
		return
	}
	for _, t := range tenants {
		if wanted[t.ID] == "" {
			continue
		}
		for _, n := range t.Notifications {
			if n.State == subscriptions.Active && n.Message == "" {
				s.Pass("notifications, tenant "+t.Name, "%s", n.Line())
				continue
			}
			s.warn("notifications, tenant "+t.Name, n.Line(), n.Hint)
		}
		if len(t.Notifications) == 0 {
			s.warn("notifications, tenant "+t.Name, fmt.Sprintf("there is no subscription yet; the service makes it after its next cycle, and Graph then has to reach %s", address), "")
		}
	}
}
