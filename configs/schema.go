package configs

import (
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A schema is a JSON Schema, draft 2020-12.
type schema = map[string]any

// Schema returns the JSON Schema of the configuration for editors, made from the same tags the
// decoder goes by, as indented JSON. options names the types of targets and gives for each a
// value (or pointer) of the struct its options are decoded into; with none, targets are left
// open. What the schema refuses the loader refuses too; the loader knows more, such as names that
// lead nowhere.
func Schema(options map[string]any) ([]byte, error) {
	g := &generator{options: options, defs: map[string]schema{
		"variable": {"type": "string", "pattern": `\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}`,
			"description": "A value from the environment: ${NAME} or ${NAME:-default}."},
	}}
	root := g.section(reflect.TypeFor[Config]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "entrasync configuration"
	root["$defs"] = g.defs
	out, err := json.MarshalIndent(root, "", "  ")
	return append(out, '\n'), err
}

type generator struct {
	options map[string]any
	defs    map[string]schema
}

func ref(name string) schema { return schema{"$ref": "#/$defs/" + name} }

// orVariable lets a value come from the environment.
func orVariable(s schema) schema { return schema{"anyOf": []schema{s, ref("variable")}} }

// value is the schema of a type in a field.
func (g *generator) value(t reflect.Type, f field) schema {
	if t.Kind() == reflect.Pointer {
		return g.value(t.Elem(), f)
	}
	switch p := reflect.New(t).Interface().(type) {
	case polymorph:
		return p.schema(g, f)
	case encoding.TextUnmarshaler:
		if t.Kind() == reflect.Struct && len(fieldsOf(t)) > 0 {
			return schema{"anyOf": []schema{{"type": "string"}, g.section(t)}}
		}
		return schema{"type": []string{"string", "number", "boolean"}}
	}
	switch t.Kind() {
	case reflect.Struct:
		name := t.Name()
		if t.PkgPath() != reflect.TypeFor[Config]().PkgPath() {
			name = strings.ReplaceAll(t.String(), "*", "")
		}
		if _, ok := g.defs[name]; !ok {
			g.defs[name] = nil // a type may contain itself
			g.defs[name] = g.section(t)
		}
		return ref(name)
	case reflect.Slice:
		return schema{"type": "array", "items": g.value(t.Elem(), f)}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": g.value(t.Elem(), f)}
	case reflect.Func:
		return new(Secret).schema(g, f)
	case reflect.Bool:
		return orVariable(schema{"type": "boolean"})
	case reflect.String:
		return word(f, "string")
	}
	if t == durationType {
		return duration()
	}
	s := schema{"type": map[bool]string{true: "integer", false: "number"}[reflect.Zero(t).CanInt()]}
	if f.min != nil {
		s["minimum"] = *f.min
	}
	if f.max != nil {
		s["maximum"] = *f.max
	}
	return orVariable(s)
}

func duration() schema {
	return schema{"anyOf": []schema{
		{"type": "string", "pattern": `^([0-9]+w)?([0-9]+d)?([0-9.]+(ns|us|µs|ms|s|m|h))*$`, "minLength": 1},
		{"const": 0}, ref("variable"),
	}}
}

// word is the schema of a text with the words or the format of its field.
func word(f field, types ...string) schema {
	var s schema
	switch f.format {
	case "guid":
		s = schema{"type": "string", "pattern": guidPattern}
	case "url":
		s = schema{"type": "string", "pattern": `^https?://[^@#]+$`}
	case "https":
		s = schema{"type": "string", "pattern": `^(https://|http://(localhost|127\.|\[::1\]))[^@#]*$`}
	case "listen":
		s = schema{"type": "string", "pattern": `:[0-9]+$`}
	case "network":
		s = schema{"type": "string", "pattern": `^[0-9a-fA-F:.]+(/[0-9]+)?$`}
	case "date":
		s = schema{"type": "string", "pattern": `^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`}
	case "cron":
		s = schema{"type": "string", "pattern": "^" + cronPattern + "$"}
	case "cron-off":
		s = schema{"type": "string", "pattern": "^(off|" + cronPattern + ")$"}
	case "duration-off":
		s = schema{"type": "string", "pattern": `^(off|([0-9]+w)?([0-9]+d)?([0-9.]+(ns|us|µs|ms|s|m|h))*)$`, "minLength": 1}
	case "link":
		s = schema{"type": "string", "pattern": `^[Hh][Tt][Tt][Pp][Ss]://`}
	case "support":
		s = schema{"type": "string", "pattern": `^([Hh][Tt][Tt][Pp][Ss]://|[Mm][Aa][Ii][Ll][Tt][Oo]:)`}
	case "path", "logo":
		return schema{"type": "string", "minLength": 1}
	default:
		if len(f.enum) == 0 {
			s = schema{"type": types[0]}
			if len(types) > 1 {
				s["type"] = types
			}
			if len(f.suggest) > 0 {
				s = schema{"anyOf": []schema{{"enum": f.suggest}, s}}
			}
			return s
		}
		s = schema{"enum": f.enum}
	}
	return orVariable(s)
}

// section is the schema of a struct.
func (g *generator) section(t reflect.Type) schema {
	zero := reflect.New(t)
	if d, ok := zero.Interface().(defaulter); ok {
		d.SetDefaults()
	}
	properties, required, rules := schema{}, []string{}, []schema{}
	groups := map[string][]string{}
	fields := fieldsOf(t)
	for _, f := range fields {
		p := maps.Clone(g.value(f.typ, f))
		if f.doc != "" {
			p["description"] = f.doc
		}
		if v, err := zero.Elem().FieldByIndexErr(f.index); err == nil && !f.file {
			if d := defaultOf(v); d != nil {
				p["default"] = d
			}
		}
		properties[f.name] = p
		switch {
		case f.file && f.required:
			rules = append(rules, schema{"anyOf": []schema{needs(strings.TrimSuffix(f.name, "_file")), needs(f.name)}})
		case f.required && !f.secret:
			required = append(required, f.name)
		}
		if base, ok := strings.CutSuffix(f.name, "_file"); ok && properties[base] != nil {
			rules = append(rules, never(base, f.name))
		}
		if f.group != "" {
			groups[f.group] = append(groups[f.group], f.name)
		}
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		names := groups[group]
		for i, a := range names {
			for _, b := range names[i+1:] {
				if b != a+"_file" {
					rules = append(rules, never(a, b))
				}
			}
		}
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	if rules = append(rules, rulesOf(t)...); len(rules) > 0 {
		s["allOf"] = rules
	}
	return s
}

func needs(names ...string) schema { return schema{"required": names} }

func never(names ...string) schema { return schema{"not": needs(names...)} }

// when is: if the key has one of the values, then the rule holds.
func when(key string, values []string, then schema) schema {
	return schema{"if": schema{"properties": schema{key: schema{"enum": values}}, "required": []string{key}}, "then": then}
}

// rulesOf are the rules of validate.go that a schema can express.
func rulesOf(t reflect.Type) []schema {
	switch t {
	case reflect.TypeFor[App]():
		return []schema{
			{"anyOf": []schema{needs("client_secret"), needs("client_secret_file"), needs("certificate"), needs("certificate_file"),
				needs("workload_identity"), needs("managed_identity")}},
			{"anyOf": []schema{needs("client_id"), needs("managed_identity")}},
		}
	case reflect.TypeFor[Users]():
		named := func(action string) schema {
			return schema{"properties": schema{"actions": schema{"contains": schema{"const": action}}}}
		}
		deletes := named("delete")
		deletes["required"] = []string{"actions"}
		var rules []schema
		for _, key := range []string{"on_remove", "on_unassign", "on_delete"} {
			rules = append(rules,
				when(key, []string{"delete"}, deletes),
				when(key, []string{"deactivate"}, named("deactivate")),
				schema{"if": schema{"properties": schema{key: schema{"type": "object"}}, "required": []string{key}}, "then": deletes})
		}
		return rules
	case reflect.TypeFor[Groups]():
		return []schema{{"if": schema{"properties": schema{"enabled": schema{"const": true}}, "required": []string{"enabled"}}, "then": needs("attributes")}}
	case reflect.TypeFor[attributeOptions]():
		return []schema{when("on_null", []string{"default"}, needs("default"))}
	}
	return nil
}

// defaultOf is a field's default as it would be written, nil for none.
func defaultOf(v reflect.Value) any {
	switch d := v.Interface().(type) {
	case State:
		return orNil(d.Dir)
	case Cloud:
		return orNil(d.Name)
	case GroupSource:
		return orNil(d.Kind)
	case OnRemove:
		return orNil(d.Action)
	case Percent:
		return orNil(d)
	case Share:
		if d.Percent != nil {
			return schema{"percent": *d.Percent, "of_at_least": d.OfAtLeast}
		}
	case *Percent:
		if d != nil {
			return *d
		}
	case Expiry:
		return "never"
	case Limit:
		s := schema{}
		if d.Count != nil {
			s["count"] = *d.Count
		}
		if d.Percent != nil {
			s["percent"] = *d.Percent
		}
		if len(s) > 0 {
			return s
		}
	case []string:
		if len(d) > 0 {
			return d
		}
	case string:
		return orNil(d)
	case bool:
		return orNil(d)
	case int:
		return orNil(d)
	}
	return nil
}

func orNil[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}
