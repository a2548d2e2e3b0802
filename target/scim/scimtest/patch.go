package scimtest

import (
	"reflect"
	"slices"
	"strings"

	"github.com/elimity-com/scim"
	scimerrors "github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/filter"
	"github.com/elimity-com/scim/schema"
	parser "github.com/scim2/filter-parser/v2"
)

// apply carries out one operation that the library has validated (RFC 7644 section 3.5.2).
// A replace whose filter matches nothing is noTarget; an add makes the value its filter names.
func (c *collection) apply(attributes map[string]any, op scim.PatchOperation) error {
	if op.Path != nil {
		return c.applyAt(attributes, op.Op, *op.Path, op.Value)
	}
	values, _ := op.Value.(map[string]any)
	for text, value := range values {
		path, err := parser.ParsePath([]byte(text))
		if err != nil {
			return scimerrors.ScimErrorInvalidPath
		}
		if err := c.applyAt(attributes, op.Op, path, value); err != nil {
			return err
		}
	}
	return nil
}

func (c *collection) applyAt(attributes map[string]any, op string, path parser.Path, value any) error {
	urn, core := path.AttributePath.URI(), c.resourceType.Schema
	if urn == "" {
		urn = core.ID
	}
	attribute, known := c.schemas[urn].Attributes.ContainsAttribute(path.AttributePath.AttributeName)
	name := attribute.Name()
	if !known {
		name = path.AttributePath.AttributeName // externalId, which no schema has
	}
	holder := attributes
	if urn != core.ID {
		nested, ok := attributes[urn].(map[string]any)
		if !ok {
			nested = map[string]any{}
			attributes[urn] = nested
		}
		holder = nested
		defer func() {
			if len(nested) == 0 {
				delete(attributes, urn)
			}
		}()
	}

	switch sub := path.AttributePath.SubAttributeName(); {
	case path.ValueExpression != nil:
		return applyFiltered(holder, op, attribute, path, value)
	case sub != "" && !attribute.MultiValued():
		nested, ok := holder[name].(map[string]any)
		if !ok {
			nested = map[string]any{}
		}
		write(nested, op, canonical(attribute, sub), value)
		holder[name] = nested
		if len(nested) == 0 {
			delete(holder, name)
		}
	case sub != "":
		list, _ := holder[name].([]any)
		for _, element := range list {
			if m, ok := element.(map[string]any); ok {
				write(m, op, canonical(attribute, sub), value)
			}
		}
	default:
		write(holder, op, name, value)
	}
	return nil
}

// write sets, adds to or removes one attribute of a map.
func write(m map[string]any, op, name string, value any) {
	switch old := m[name].(type) {
	case []any:
		given, _ := value.([]any)
		switch {
		case op == scim.PatchOperationAdd:
			m[name] = union(old, given)
			return
		case op == scim.PatchOperationRemove && given != nil:
			left := slices.DeleteFunc(old, func(e any) bool { return slices.ContainsFunc(given, func(g any) bool { return same(e, g) }) })
			if m[name] = left; len(left) == 0 {
				delete(m, name)
			}
			return
		}
	case map[string]any:
		if given, ok := value.(map[string]any); ok && op != scim.PatchOperationRemove {
			for k, v := range given {
				old[k] = v
			}
			return
		}
	}
	if op == scim.PatchOperationRemove {
		delete(m, name)
	} else if list, ok := value.([]any); ok {
		m[name] = union(nil, list)
	} else {
		m[name] = value
	}
}

// applyFiltered changes the elements of a multi-valued attribute that a filter picks.
func applyFiltered(holder map[string]any, op string, attribute schema.CoreAttribute, path parser.Path, value any) error {
	list, _ := holder[attribute.Name()].([]any)
	picks := filter.NewFilterValidator(path.ValueExpression, schema.Schema{Attributes: filter.MultiValuedFilterAttributes(attribute)})
	sub := canonical(attribute, path.SubAttributeName())
	kept, matched := []any{}, false
	for _, element := range list {
		m, complex := element.(map[string]any)
		if !complex {
			m = map[string]any{"value": element}
		}
		if picks.PassesFilter(m) != nil {
			kept = append(kept, element)
			continue
		}
		matched = true
		switch {
		case sub != "":
			write(m, op, sub, value)
			kept = append(kept, m)
		case op != scim.PatchOperationRemove:
			kept = append(kept, first(value))
		}
	}
	if !matched {
		made, ok := named(path.ValueExpression)
		switch {
		case op == scim.PatchOperationRemove:
			return nil
		case op == scim.PatchOperationReplace || !ok:
			return scimerrors.ScimErrorNoTarget
		case sub != "":
			made[sub] = value
		default:
			given, _ := first(value).(map[string]any)
			for k, v := range given {
				made[k] = v
			}
		}
		kept = append(kept, made)
	}
	if holder[attribute.Name()] = kept; len(kept) == 0 {
		delete(holder, attribute.Name())
	}
	return nil
}

// named returns the element that a filter of the form type eq "work" describes.
func named(e parser.Expression) (map[string]any, bool) {
	if eq, ok := e.(*parser.AttributeExpression); ok && eq.Operator == parser.EQ {
		return map[string]any{eq.AttributePath.AttributeName: eq.CompareValue}, true
	}
	return nil, false
}

func canonical(attribute schema.CoreAttribute, sub string) string {
	if a, ok := attribute.SubAttributes().ContainsAttribute(sub); ok {
		return a.Name()
	}
	return sub
}

func first(value any) any {
	if list, ok := value.([]any); ok && len(list) > 0 {
		return list[0]
	}
	return value
}

func union(old, more []any) []any {
	all := append([]any{}, old...)
	for _, v := range more {
		if !slices.ContainsFunc(all, func(e any) bool { return same(e, v) }) {
			all = append(all, v)
		}
	}
	return all
}

// same tells whether two elements are one value: complex ones by value and type.
func same(a, b any) bool {
	x, ok1 := a.(map[string]any)
	y, ok2 := b.(map[string]any)
	if ok1 && ok2 && x["value"] != nil {
		kind := func(m map[string]any) string { s, _ := m["type"].(string); return strings.ToLower(s) }
		return reflect.DeepEqual(x["value"], y["value"]) && kind(x) == kind(y)
	}
	return reflect.DeepEqual(a, b)
}
