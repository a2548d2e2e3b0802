package scim

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"entrasync/target"
)

// labels are the sub-attributes that Entra's app roles have in addition to their value. Some
// applications refuse a type, or a display name, that is none of their own.
var labels = []string{"type", "display", "primary"}

// labelled reports whether an attribute is a list of roles with labels.
func labelled(attribute target.Attribute) bool {
	list, _ := attribute.Value.([]any)
	return strings.EqualFold(attribute.Path.Name(), "roles") && !attribute.Path.Filtered() && slices.ContainsFunc(list, func(element any) bool {
		role, _ := element.(map[string]any)
		return role["value"] != nil && slices.ContainsFunc(labels, func(label string) bool { return role[label] != nil })
	})
}

// unlabelled leaves the values of roles only.
func unlabelled(attribute target.Attribute) target.Attribute {
	list, _ := attribute.Value.([]any)
	bare := make([]any, len(list))
	for i, element := range list {
		if role, ok := element.(map[string]any); ok && role["value"] != nil {
			role = maps.Clone(role)
			maps.DeleteFunc(role, func(name string, _ any) bool { return slices.Contains(labels, name) })
			element = role
		}
		bare[i] = element
	}
	attribute.Value = bare
	return attribute
}

// withoutLabels takes the labels of roles away, of all or of those that are known to be refused.
func (d *dialect) withoutLabels(kind target.Kind, attributes []target.Attribute, all bool) []target.Attribute {
	if !slices.ContainsFunc(attributes, labelled) {
		return attributes
	}
	out := slices.Clone(attributes)
	for i := range out {
		if labelled(out[i]) && (all || d.learned.knows(refusesLabels, kind, factKey(out[i]))) {
			out[i] = unlabelled(out[i])
		}
	}
	return out
}

// mayRefuseLabels reports whether a refusal may be about the labels of roles.
func mayRefuseLabels(err error, attributes []target.Attribute) bool {
	status := statusOf(err)
	return (status == http.StatusBadRequest || status == http.StatusUnprocessableEntity) && slices.ContainsFunc(attributes, labelled)
}

// noteLabelsRefused learns that the labels of these roles were the trouble.
func (d *dialect) noteLabelsRefused(kind target.Kind, attributes []target.Attribute) {
	for _, attribute := range attributes {
		if labelled(attribute) {
			d.learned.learn(refusesLabels, kind, factKey(attribute))
		}
	}
}
