package check

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"entrasync/cmd/internal/advice"
	"entrasync/graphsync"
)

// loopPages bounds how many pages of users are looked at: where a directory is synchronized, most users come from it.
const loopPages = 3

// A domainTarget is a directory that may itself be where users of a tenant come from.
type domainTarget interface {
	Domain(ctx context.Context) (domain string, err error)
}

// loops refuses a target that is synchronized into the tenant that it gets its accounts from: they would be copied in a
// circle, and a deletion here would be one there.
func (c *Checker) loops(ctx context.Context, t *targetTest, out *Section) {
	directory, ok := t.adapter.(domainTarget)
	if !ok {
		return
	}
	domain, err := directory.Domain(ctx)
	if err != nil || domain == "" {
		return // the probe has reported it; a base without dc= says nothing of a domain
	}
	seen := map[graphsync.ID]bool{}
	for _, s := range c.worker.Syncs {
		if "target "+s.TargetName != t.what || s.Tenant.IsZero() || seen[s.Tenant] {
			continue
		}
		seen[s.Tenant] = true
		source, err := c.worker.Source(s)
		if err != nil {
			continue // reported with the tenant
		}
		name, err := synchronizedFrom(ctx, source, domain)
		if err != nil {
			out.warn(t.what, fmt.Sprintf("whether users of tenant %s come from this directory could not be read: %v", s.Expansion, err), "")
			continue
		}
		if name != "" {
			out.Fail(t.what, advice.With(fmt.Errorf("users of tenant %s, such as %s, are synchronized into Microsoft Entra from the domain %s, which this target writes to: accounts would be copied in a circle", s.Expansion, name, domain),
				"provision another directory, or a domain that Microsoft Entra Connect does not synchronize"))
		}
	}
}

// synchronizedFrom returns a user who is synchronized into Microsoft Entra from a domain, "" when the first pages have none.
// onPremisesSyncEnabled and onPremisesDomainName are those of the user resource of Microsoft Graph.
func synchronizedFrom(ctx context.Context, source graphsync.Source, domain string) (name string, err error) {
	link := ""
	for range loopPages {
		page, err := source.DeltaPage(ctx, graphsync.Users, []string{"userPrincipalName", "onPremisesSyncEnabled", "onPremisesDomainName"}, link)
		if err != nil {
			return "", err
		}
		for _, user := range page.Changes {
			var enabled bool
			var from, who string
			for _, p := range user.Properties {
				switch p.Name { // a value of another type is none
				case "onPremisesSyncEnabled":
					_ = json.Unmarshal(p.Value, &enabled)
				case "onPremisesDomainName":
					_ = json.Unmarshal(p.Value, &from)
				case "userPrincipalName":
					_ = json.Unmarshal(p.Value, &who)
				}
			}
			if enabled && strings.EqualFold(from, domain) {
				return who, nil
			}
		}
		if link = page.Next; link == "" {
			return "", nil
		}
	}
	return "", nil
}
