package scim

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"entrasync/target"
)

// types are the types of attributes by schema, name and sub-attribute, all in lower case, as /Schemas
// tells them (RFC 7643, section 7). It is empty where /Schemas cannot be read.
type types map[string]attributeType

type attributeType struct {
	name      string // string, boolean, decimal, integer, dateTime, reference, binary, complex
	multiple  bool
	canonical target.CanonicalValues
	subs      []string // names of the sub-attributes
}

func typeKey(schema, name, sub string) string {
	return strings.ToLower(schema + "\x00" + name + "\x00" + sub)
}

// of returns the type of a path's end, false when it is not known.
func (t types) of(kind target.Kind, path target.Path) (attributeType, bool) {
	schema := path.Schema()
	if schema == "" {
		schema = coreSchema(kind)
	}
	found, ok := t[typeKey(schema, path.Name(), path.Sub())]
	return found, ok
}

// typed gives texts, booleans and numbers the type that the application's schema has: Entra's
// expressions mostly give texts. /Schemas is read only when a value may need it, once an hour.
func (d *dialect) typed(ctx context.Context, kind target.Kind, attributes []target.Attribute) []target.Attribute {
	var known types
	var out []target.Attribute
	for i, attribute := range attributes {
		if !mayNeedType(attribute) {
			continue
		}
		if known == nil {
			known = d.client.types(ctx)
		}
		of, ok := known.of(kind, attribute.Path)
		if !ok {
			continue
		}
		value, changed := inType(attribute.Value, of.name)
		if !changed {
			continue
		}
		if out == nil {
			out = append([]target.Attribute(nil), attributes...)
		}
		out[i].Value = value
	}
	if out == nil {
		return attributes
	}
	return out
}

// mayNeedType reports whether a value could be of another type than it has: a text that reads as a
// boolean or a number, or the reverse. Those that RFC 7643 gives a type are left alone.
func mayNeedType(attribute target.Attribute) bool {
	switch factKey(attribute) {
	case "active", "username", "externalid", "displayname":
		return false
	}
	switch value := attribute.Value.(type) {
	case string:
		_, isBool := boolean(value)
		_, err := strconv.ParseFloat(value, 64)
		return isBool || err == nil
	case bool, float64, int64, int:
		return true
	case []any:
		for _, element := range value {
			if mayNeedType(target.Attribute{Path: attribute.Path, Value: element}) {
				return true
			}
		}
	}
	return false
}

func boolean(text string) (value, ok bool) {
	return strings.EqualFold(text, "true"), strings.EqualFold(text, "true") || strings.EqualFold(text, "false")
}

// inType converts a value, and reports whether that changed it. What does not convert stays.
func inType(value any, name string) (converted any, changed bool) {
	if list, ok := value.([]any); ok {
		out := make([]any, len(list))
		for i := range list {
			var one bool
			out[i], one = inType(list[i], name)
			changed = changed || one
		}
		return out, changed
	}
	s, isText := value.(string)
	switch name {
	case "boolean":
		if b, ok := boolean(s); isText && ok {
			return b, true
		}
	case "integer":
		if n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64); isText && err == nil {
			return n, true
		}
	case "decimal":
		if n, err := strconv.ParseFloat(strings.TrimSpace(s), 64); isText && err == nil {
			return n, true
		}
	case "string":
		switch value := value.(type) {
		case bool:
			return map[bool]string{true: "True", false: "False"}[value], true // as Entra writes them
		case float64:
			return strconv.FormatFloat(value, 'f', -1, 64), true
		case int64:
			return strconv.FormatInt(value, 10), true
		case int:
			return strconv.Itoa(value), true
		}
	}
	return value, false
}

// types reads /Schemas, at most once an hour. Where it cannot be read nothing is known.
func (cl *client) types(ctx context.Context) types {
	cl.learned.mu.Lock()
	known, at := cl.learned.types, cl.learned.typesAt
	cl.learned.mu.Unlock()
	if known != nil && time.Since(at) < providerLife {
		return known
	}
	known = types{}
	ans, err := cl.send(ctx, call{op: "read schemas", method: http.MethodGet, path: []string{"Schemas"}})
	if err == nil {
		known = typesOf(ans.object)
	}
	if err == nil || target.CodeOf(err) != target.Unavailable {
		cl.learned.mu.Lock()
		cl.learned.types, cl.learned.typesAt = known, time.Now()
		cl.learned.mu.Unlock()
	}
	return known
}

// typesOf reads a list of schemas.
func typesOf(object map[string]any) types {
	known := types{}
	list, _ := member(object, "Resources").([]any)
	for _, entry := range list {
		schema, _ := entry.(map[string]any)
		id := text(member(schema, "id"))
		attributes, _ := member(schema, "attributes").([]any)
		for _, attribute := range attributes {
			m, _ := attribute.(map[string]any)
			known.add(id, text(member(m, "name")), "", m)
			for _, sub := range subAttributes(m) {
				known.add(id, text(member(m, "name")), text(member(sub, "name")), sub)
			}
		}
	}
	return known
}

func (t types) add(schema, name, sub string, attribute map[string]any) {
	if schema == "" || name == "" {
		return
	}
	multiple, _ := member(attribute, "multiValued").(bool)
	of := strings.ToLower(text(member(attribute, "type")))
	if of == "" {
		of = "string" // the default (RFC 7643, section 2.2)
	}
	exact, _ := member(attribute, "caseExact").(bool)
	found := attributeType{name: of, multiple: multiple, canonical: target.CanonicalValues{Values: texts(member(attribute, "canonicalValues")), CaseExact: exact}}
	for _, sub := range subAttributes(attribute) {
		found.subs = append(found.subs, text(member(sub, "name")))
	}
	t[typeKey(schema, name, sub)] = found
}

func subAttributes(attribute map[string]any) (subs []map[string]any) {
	list, _ := member(attribute, "subAttributes").([]any)
	for _, entry := range list {
		if sub, ok := entry.(map[string]any); ok {
			subs = append(subs, sub)
		}
	}
	return subs
}
