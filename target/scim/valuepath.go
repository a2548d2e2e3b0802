package scim

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"entrasync/target"
)

func filtered(attribute target.Attribute) bool { return attribute.Path.Filtered() }

// placed looks, before paths with a filter are sent, whether the filter finds what it means: an
// application that drops type or primary finds nothing and makes its list longer with each
// write. There the whole list is sent instead. An application that was seen to keep the
// sub-attributes is not asked again.
func (u *update) placed(ctx context.Context, attributes []target.Attribute) ([]target.Attribute, error) {
	if u.a.learned.knows(noPathFilters, u.ref.Kind, "") {
		return u.whole(ctx, attributes, filtered)
	}
	unknown := func(attribute target.Attribute) bool {
		return filtered(attribute) && !u.a.learned.knows(keepsLabels, u.ref.Kind, labelKey(attribute))
	}
	if !slices.ContainsFunc(attributes, unknown) {
		return attributes, nil
	}
	current, err := u.a.Get(ctx, u.ref)
	if err != nil {
		return nil, err
	}
	u.a.dialect.noteLabels(u.ref.Kind, attributes, current)
	return u.merged(current, attributes, func(attribute target.Attribute) bool {
		return unknown(attribute) && attribute.Path.Unlabelled(current.Attributes)
	}), nil
}

// whole turns the chosen attributes into the whole attributes they are part of, merged with what
// the application has.
func (u *update) whole(ctx context.Context, attributes []target.Attribute, chosen func(target.Attribute) bool) ([]target.Attribute, error) {
	current, err := u.a.Get(ctx, u.ref)
	if err != nil {
		return nil, err
	}
	return u.merged(current, attributes, chosen), nil
}

// merged is whole with a resource that has been read. An attribute whose place cannot be told is
// refused and left out.
func (u *update) merged(current *target.Resource, attributes []target.Attribute, chosen func(target.Attribute) bool) []target.Attribute {
	var whole []target.Attribute
	for _, attribute := range attributes {
		if !chosen(attribute) {
			whole = append(whole, attribute)
			continue
		}
		if err := attribute.Path.Place(current.Attributes, attribute.Old, attribute.Value); err != nil {
			if !u.isAdrift(attribute) {
				u.adrift = append(u.adrift, attribute.Path)
				u.refused = append(u.refused, unplaced(u.ref.Kind, attribute, err))
			}
			continue
		}
		path := attribute.Path.Whole()
		whole = slices.DeleteFunc(whole, func(a target.Attribute) bool { return a.Path.Equal(path) })
		whole = append(whole, target.Attribute{Path: path, Value: path.Get(current.Attributes)})
	}
	return whole
}

func (u *update) isAdrift(attribute target.Attribute) bool {
	return slices.ContainsFunc(u.adrift, attribute.Path.Equal)
}

func unplaced(kind target.Kind, attribute target.Attribute, err error) error {
	return &target.Error{
		Op: opName("update", kind), Code: target.Rejected, Attribute: attribute.Path.String(), Err: err,
		Message: err.Error() + "; nothing was written there",
		Hint:    "leave one " + attribute.Path.Name() + " in the account, or map the whole of " + attribute.Path.Name(),
	}
}

// noteLabels learns from a resource which sub-attributes the application keeps.
func (d *dialect) noteLabels(kind target.Kind, attributes []target.Attribute, r *target.Resource) {
	for _, attribute := range attributes {
		if r != nil && attribute.Path.Labels(r.Attributes) {
			d.learned.learn(keepsLabels, kind, labelKey(attribute))
		}
	}
}

// labelKey names an attribute and what a path's filter asks of its elements, whatever the values.
func labelKey(attribute target.Attribute) string {
	filter, _, _ := strings.Cut(attribute.Path.Canonical(), "]")
	var labels []string
	for _, word := range strings.FieldsFunc(filter, func(r rune) bool { return strings.ContainsRune(`[" ()`, r) }) {
		labels = append(labels, strings.ToLower(word))
	}
	return strings.Join(labels[:min(2, len(labels))], ".")
}

// merge writes attributes in one PATCH without a path: some applications take an attribute, above
// all an extension's, in no other way. Complex attributes and extensions are sent whole, as the
// application shows them, because some replace them; everything else is not mentioned and so
// stays as it is.
func (u *update) merge(ctx context.Context, attributes []target.Attribute) (*target.Resource, error) {
	current, err := u.a.Get(ctx, u.ref)
	if err != nil {
		return nil, err
	}
	value := map[string]any{}
	for _, attribute := range attributes {
		attribute = u.a.dialect.wired(attribute)
		if err := attribute.Path.Place(current.Attributes, attribute.Old, attribute.Value); err != nil {
			return nil, unplaced(u.ref.Kind, attribute, err)
		}
		name := attribute.Path.Name()
		if schema := attribute.Path.Schema(); schema != "" {
			name = schema
		}
		if held := member(current.Attributes, name); held != nil {
			value[name] = held
		}
	}
	if len(value) == 0 {
		return nil, nil // to be cleared: a value cannot say it
	}
	ans, err := u.a.client.send(ctx, call{
		op: opName("update", u.ref.Kind), method: http.MethodPatch, path: []string{endpoint(u.ref.Kind), u.ref.ID}, fixed: true,
		body: patchBody{Schemas: []string{patchOp}, Operations: u.a.dialect.inDialect([]operation{{Op: "replace", Value: value}})},
	})
	if err != nil {
		return nil, err
	}
	return ans.resource(u.ref.Kind), nil
}
