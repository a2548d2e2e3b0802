package scim

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"entrasync/target"
)

// A patchBody is a PATCH's body (RFC 7644, section 3.5.2).
type patchBody struct {
	Schemas    []string    `json:"schemas"`
	Operations []operation `json:"Operations"`
}

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path,omitempty"`
	Value any    `json:"value,omitempty"` // false is kept: only nil is empty
}

// A dialect puts attributes into the form that the application takes.
type dialect struct {
	cfg     Config
	learned *learned
	client  *client
}

// patch sends attributes in one PATCH. Its outcome is fixed: it says what is to be there.
func (a *Adapter) patch(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	c := call{
		op: opName("update", ref.Kind), method: http.MethodPatch, path: []string{endpoint(ref.Kind), ref.ID}, fixed: true,
		body: patchBody{Schemas: []string{patchOp}, Operations: a.dialect.operations(ref, attributes)},
	}
	ans, err := a.client.send(ctx, c)
	if s := statusOf(err); s == http.StatusPreconditionFailed || s == http.StatusPreconditionRequired {
		current, readErr := a.Get(ctx, ref)
		if readErr != nil {
			return nil, readErr
		}
		c.version = current.Version
		ans, err = a.client.send(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	return ans.resource(ref.Kind), nil
}

// operations writes attributes in the target's dialect.
func (d *dialect) operations(ref target.Ref, attributes []target.Attribute) []operation {
	var ops []operation
	together := map[string]any{} // what goes without a path
	for _, attribute := range attributes {
		attribute = d.wired(attribute)
		path, value := attribute.Path, attribute.Value
		list, isList := value.([]any)
		if isList && len(list) == 0 {
			value = nil
		}
		switch {
		case value == nil:
			ops = append(ops, operation{Op: "remove", Path: removalPath(path)})
		case path.Filtered():
			// add also replaces (RFC 7644, section 3.5.2.1); replace of what is not
			// there ruins the list on scimply.
			ops = append(ops, operation{Op: "add", Path: d.filteredPath(path), Value: value})
		case !isList && (d.cfg.Dialect == Entra2020 || d.cfg.Dialect == Okta): // lists would be merged
			together[path.Canonical()] = value
		default:
			ops = append(ops, operation{Op: "replace", Path: path.Canonical(), Value: value})
		}
	}
	if len(together) > 0 {
		if d.cfg.Dialect == Okta && ref.Kind == target.Group {
			together["id"] = ref.ID
		}
		ops = append([]operation{{Op: "replace", Value: together}}, ops...)
	}
	return d.inDialect(ops)
}

// filteredPath leaves Entra's primary eq "True" as it is where everything is Entra's.
func (d *dialect) filteredPath(path target.Path) string {
	if d.cfg.Dialect == EntraLegacy && (path.Schema() != "" || !strings.Contains(path.String(), ":")) {
		return path.String()
	}
	return path.Canonical()
}

// inDialect capitalizes for Entra's legacy form and writes its booleans as texts.
func (d *dialect) inDialect(ops []operation) []operation {
	if d.cfg.Dialect != EntraLegacy {
		return ops
	}
	for i := range ops {
		ops[i].Op = strings.ToUpper(ops[i].Op[:1]) + ops[i].Op[1:]
		ops[i].Value = booleansAsText(ops[i].Value)
	}
	return ops
}

func booleansAsText(value any) any {
	switch value := value.(type) {
	case bool:
		if value {
			return "True"
		}
		return "False"
	case []any:
		list := slices.Clone(value)
		for i := range list {
			list[i] = booleansAsText(list[i])
		}
		return list
	case map[string]any:
		object := maps.Clone(value)
		for name := range object {
			object[name] = booleansAsText(object[name])
		}
		return object
	}
	return value
}

// wired gives a manager the form most servers take: an object with the manager's id, or with
// Entra's legacy dialect a bare id.
func (d *dialect) wired(attribute target.Attribute) target.Attribute {
	path := attribute.Path
	if !strings.EqualFold(path.Name(), "manager") || path.Schema() == "" || path.Filtered() ||
		path.Sub() != "" && !strings.EqualFold(path.Sub(), "value") {
		return attribute
	}
	attribute.Path = path.Whole()
	if id, ok := attribute.Value.(string); ok && d.cfg.Dialect != EntraLegacy {
		attribute.Value = map[string]any{"value": id}
	}
	return attribute
}

// removalPath is where to remove: an element that loses its value goes as a whole.
func removalPath(path target.Path) string {
	s := path.Canonical()
	if path.Filtered() && strings.EqualFold(path.Sub(), "value") {
		return strings.TrimSuffix(s, "."+path.Sub())
	}
	return s
}
