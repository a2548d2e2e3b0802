package scim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"entrasync/target"
)

// schemas are the schemas that an application describes (RFC 7643, section 7).
type schemas []schema

type schema struct {
	id         string
	attributes []string
}

// describedSchemas reads a list of schemas. One without attributes says nothing and is left out.
func describedSchemas(object map[string]any) (known schemas) {
	list, _ := member(object, "Resources").([]any)
	for _, entry := range list {
		described, _ := entry.(map[string]any)
		attributes, _ := member(described, "attributes").([]any)
		s := schema{id: text(member(described, "id"))}
		for _, attribute := range attributes {
			m, _ := attribute.(map[string]any)
			s.attributes = append(s.attributes, text(member(m, "name")))
		}
		if s.id != "" && len(s.attributes) > 0 {
			known = append(known, s)
		}
	}
	return known
}

// of returns a schema, nil when it is not described.
func (known schemas) of(id string) *schema {
	if i := slices.IndexFunc(known, func(s schema) bool { return strings.EqualFold(s.id, id) }); i >= 0 {
		return &known[i]
	}
	return nil
}

func (known schemas) ids() (ids []string) {
	for _, s := range known {
		ids = append(ids, s.id)
	}
	return ids
}

// unknown says in a sentence what of a path the schemas do not have, "" for nothing.
func (known schemas) unknown(types types, kind target.Kind, path target.Path) string {
	core := coreSchema(kind)
	described := known.of(cmp.Or(path.Schema(), core))
	has := func(name string) bool { return strings.EqualFold(path.Name(), name) }
	switch {
	case described == nil:
		return fmt.Sprintf("its schemas do not have %s, which %s belongs to%s", path.Schema(), path, didYouMean(path.Schema(), known.ids()))
	case strings.EqualFold(described.id, core) && (has("externalId") || has("id") || has("schemas") || has("meta")):
		return "" // common attributes are not part of a schema (RFC 7643, section 3.1)
	case !slices.ContainsFunc(described.attributes, has):
		return fmt.Sprintf("its schemas do not have the attribute %s%s", path, didYouMean(path.Name(), described.attributes))
	}
	if subs := types.unknownSubs(kind, path); len(subs) > 0 {
		return fmt.Sprintf("its schemas do not have the sub-attribute %s", strings.Join(subs, ", or "))
	}
	return ""
}
