package compile

import (
	"cmp"
	"strings"

	"entrasync/configs"
	"entrasync/reconcile/drift"
)

// drift compiles what is done about differences; nil where nothing is said.
func (c *compiler) drift() *drift.Policy {
	in, own := cmp.Or(c.sync.Drift, c.cfg.Drift), c.sync.Drift != nil
	if in == nil {
		return nil
	}
	policy := &drift.Policy{
		Mode: cmp.Or(drift.Mode(in.Mode), drift.Report), Active: drift.Mode(in.Active), Members: drift.Mode(in.Members), Missing: drift.Mode(in.Missing),
		Attributes: map[string]drift.Mode{},
	}
	for _, entry := range in.Attributes {
		if strings.EqualFold(entry.Name, "active") { // the same as drift.active
			policy.Active = cmp.Or(policy.Active, drift.Mode(entry.Value))
			continue
		}
		policy.Attributes[strings.ToLower(entry.Name)] = drift.Mode(entry.Value)
		if own && !c.maps(entry.Name) {
			c.fault(configs.Position{}, []string{"drift", "attributes", entry.Name}, entry.Name+" is not mapped, so nothing is compared with it", "name an attribute of users.attributes or groups.attributes")
		}
	}
	return policy
}

// maps reports whether an attribute of users or groups is mapped.
func (c *compiler) maps(path string) bool {
	for _, specs := range c.specs {
		for _, spec := range specs {
			if strings.EqualFold(spec.Path, path) {
				return true
			}
		}
	}
	return false
}
