package scim

import (
	"context"
	"net/http"
	"strings"

	"entrasync/target"
)

// put reads a resource, changes the given attributes and writes all of it back, with the
// version it was read at where the application gives one. Attributes we know nothing of stay
// as they were.
func (a *Adapter) put(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	return a.client.replace(ctx, ref, func(doc map[string]any) error {
		for _, attribute := range attributes {
			attribute = a.dialect.wired(attribute)
			if err := attribute.Path.Place(doc, attribute.Old, attribute.Value); err != nil {
				return unplaced(ref.Kind, attribute, err)
			}
		}
		schemas, _ := member(doc, "schemas").([]any)
		if len(schemas) == 0 {
			schemas = []any{coreSchema(ref.Kind)}
		}
		doc["schemas"] = withExtensions(schemas, doc, attributes)
		// A PUT without members may empty the group (RFC 7644, section 3.5.1).
		if members, _ := member(doc, "members").([]any); ref.Kind == target.Group && len(members) == 0 && !a.client.isEmpty(ctx, ref) {
			return &target.Error{
				Op: opName("update", ref.Kind), Code: target.Unsupported,
				Message: "the application takes groups as a whole only and does not show this one's members, so that writing it could empty it",
			}
		}
		return nil
	})
}

// replace does a GET, a change and a PUT, and all again once when another client wrote in between.
func (cl *client) replace(ctx context.Context, ref target.Ref, change func(doc map[string]any) error) (*target.Resource, error) {
	op := opName("update", ref.Kind)
	for again := false; ; again = true {
		current, err := cl.read(ctx, call{op: op, method: http.MethodGet, path: []string{endpoint(ref.Kind), ref.ID}}, ref)
		if err != nil {
			return nil, err
		}
		doc := current.Attributes
		for name := range doc {
			if strings.EqualFold(name, "meta") {
				delete(doc, name)
			}
		}
		if err := change(doc); err != nil {
			return nil, err
		}
		ans, err := cl.send(ctx, call{
			op: op, method: http.MethodPut, path: []string{endpoint(ref.Kind), ref.ID}, body: doc, version: current.Version,
		})
		if statusOf(err) == http.StatusPreconditionFailed && !again {
			continue
		}
		if err != nil {
			return nil, err
		}
		return ans.resource(ref.Kind), nil
	}
}
