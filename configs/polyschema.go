package configs

import (
	"maps"
	"reflect"
	"slices"
)

// The schemas of values that are written in more than one form; their decoding is in values.go.

func (*Text) schema(_ *generator, f field) schema { return word(f, "string", "number", "boolean") }

func (*Secret) schema(_ *generator, f field) schema {
	return schema{"type": "string", "minLength": 1}
}

func (m *Map[V]) schema(g *generator, f field) schema {
	s := schema{"type": "object", "additionalProperties": g.value(reflect.TypeFor[V](), field{})}
	if f.required {
		s["minProperties"] = 1
	}
	switch any(m).(type) {
	case *Map[Tenant], *Map[Target], *Map[Sync]:
		s["propertyNames"] = schema{"pattern": namePattern}
	}
	return s
}

func (*Percent) schema(*generator, field) schema {
	return schema{"anyOf": []schema{
		{"type": "number", "minimum": 0, "maximum": 100},
		{"type": "string", "pattern": `^(100|[0-9]{1,2}(\.[0-9]+)?) ?%?$`},
		ref("variable"),
	}}
}

func (*State) schema(g *generator, _ field) schema {
	return schema{"anyOf": []schema{{"type": "string", "minLength": 1}, g.value(reflect.TypeFor[stateSection](), field{})}}
}

func (*Cloud) schema(g *generator, _ field) schema {
	return schema{"anyOf": []schema{{"enum": clouds}, g.value(reflect.TypeFor[cloudAddresses](), field{}), ref("variable")}}
}

func (*From) schema(*generator, field) schema {
	name := schema{"type": []string{"string", "number"}}
	return schema{"anyOf": []schema{name, {"type": "array", "items": name, "minItems": 1, "uniqueItems": true}}}
}

func (*GroupSource) schema(g *generator, _ field) schema {
	return schema{"anyOf": []schema{{"enum": groupSources}, g.value(reflect.TypeFor[Filter](), field{}), ref("variable")}}
}

func (*OnRemove) schema(g *generator, _ field) schema {
	return schema{"anyOf": []schema{{"enum": removals}, g.value(reflect.TypeFor[deleteAfter](), field{}), ref("variable")}}
}

func (*DriftMode) schema(*generator, field) schema {
	return schema{"anyOf": []schema{{"enum": driftModes}, ref("variable")}}
}

func (*Drift) schema(g *generator, _ field) schema {
	return schema{"anyOf": []schema{{"enum": driftModes}, g.value(reflect.TypeFor[driftOptions](), field{}), ref("variable")}}
}

func (*Limit) schema(g *generator, _ field) schema {
	return schema{"anyOf": []schema{{"const": "off"}, g.value(reflect.TypeFor[limitNumbers](), field{}), ref("variable")}}
}

func (*Share) schema(g *generator, f field) schema {
	return schema{"anyOf": []schema{{"const": "off"}, new(Percent).schema(g, f), g.value(reflect.TypeFor[shareNumbers](), field{})}}
}

func (*Expiry) schema(*generator, field) schema {
	return schema{"anyOf": []schema{{"const": "never"}, duration()}}
}

func (*Attribute) schema(g *generator, _ field) schema {
	return schema{"anyOf": []schema{{"type": []string{"string", "number", "boolean"}}, g.value(reflect.TypeFor[attributeOptions](), field{})}}
}

func (*Target) schema(g *generator, _ field) schema {
	types := slices.Sorted(maps.Keys(g.options))
	kind := schema{"type": "string", "description": "What kind of application it is."}
	if len(types) == 0 {
		return schema{"type": "object", "properties": schema{"type": kind}, "required": []string{"type"}}
	}
	expires := word(field{format: "date"}, "string")
	expires["description"] = expiresDoc
	kind["enum"] = types
	rules := make([]schema, 0, len(types))
	for _, name := range types {
		t := reflect.TypeOf(g.options[name])
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		options := g.section(t)
		options["properties"].(schema)["type"], options["properties"].(schema)[expiresKey] = true, true
		g.defs["target."+name] = options
		rules = append(rules, when("type", []string{name}, ref("target."+name)))
	}
	return schema{"type": "object", "properties": schema{"type": kind, expiresKey: expires}, "required": []string{"type"}, "allOf": rules}
}
