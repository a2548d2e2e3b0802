package reconcile

import (
	"encoding/json"

	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/target"
)

// rightsOf tells what an adoption does to the rights of an account, which has no link yet to tell. The
// filter is nil where administrators are not known.
func rightsOf(filter *target.Filter, r *target.Resource, changes []plan.Change, desired []mapping.Desired) (rights plan.AdminRights) {
	if filter == nil {
		return rights
	}
	rights.Before = !inactive(r) && filter.Match(r.Attributes)
	after := cloneAttributes(r.Attributes)
	for _, change := range changes {
		path, err := target.ParsePath(change.Attribute)
		if err != nil {
			continue
		}
		value := change.New
		for _, d := range desired { // a plan does not show every value
			if d.Do == mapping.Write && value != nil && d.Attribute.Path.String() == change.Attribute {
				if value = d.Value; d.Attribute.KeepsOthers() {
					value = d.Attribute.Merge(value, r.Value(d.Attribute.Path))
				}
			}
		}
		path.Set(after, value)
	}
	rights.After = filter.Match(after)
	return rights
}

// cloneAttributes copies a resource's attributes with all they hold.
func cloneAttributes(attributes map[string]any) map[string]any {
	copied := map[string]any{}
	if json.Unmarshal(plan.Encode(attributes), &copied) != nil {
		return map[string]any{}
	}
	return copied
}
