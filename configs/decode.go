package configs

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A decoder puts nodes into structs and collects what does not fit.
type decoder struct {
	dir    string // paths are relative to it
	faults *Faults
}

// A polymorph is written in more than one form and decodes itself. f is the field it is for.
type polymorph interface {
	decode(d *decoder, n *node, key string, f field)
	schema(g *generator, f field) schema
}

// A defaulter has values for what its section does not name.
type defaulter interface{ SetDefaults() }

// A field is a key of a section, as the struct's tags have it.
type field struct {
	index    []int
	typ      reflect.Type
	name     string
	doc      string
	format   string
	group    string // at most one key of a group may be given
	enum     []string
	suggest  []string
	min, max *float64
	required bool
	secret   bool // it has a second key with _file …
	file     bool // … which this is
}

var (
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[time.Duration]()
	readerType   = reflect.TypeFor[func() (string, error)]()
)

// fieldsOf lists the keys of a section. A Secret has two: its own and the one with _file.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, option, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if option == "inline" {
			for _, f := range fieldsOf(sf.Type) {
				f.index = append([]int{i}, f.index...)
				fields = append(fields, f)
			}
			continue
		}
		if !sf.IsExported() || name == "" || name == "-" {
			continue
		}
		f := field{
			index: sf.Index, typ: sf.Type, name: name, doc: sf.Tag.Get("doc"), format: sf.Tag.Get("format"),
			group: sf.Tag.Get("oneof"), required: sf.Tag.Get("required") == "true",
			min: number(sf.Tag.Get("min")), max: number(sf.Tag.Get("max")),
		}
		if words := sf.Tag.Get("enum"); words != "" {
			f.enum = strings.Split(words, ",")
		}
		if words := sf.Tag.Get("suggest"); words != "" {
			f.suggest = strings.Split(words, ",")
		}
		if f.format == "" && strings.HasSuffix(name, "_file") && sf.Type.Kind() == reflect.String {
			f.format = "path"
		}
		f.secret = sf.Type == secretType || isReader(sf.Type)
		fields = append(fields, f)
		if f.secret {
			f.name, f.file, f.format = name+"_file", true, "path"
			f.doc = "File with the " + strings.ReplaceAll(name, "_", " ") + ", read again when it changes."
			fields = append(fields, f)
		}
	}
	return fields
}

// isReader reports whether a field takes a secret as the function that reads it.
func isReader(t reflect.Type) bool {
	return t.Kind() == reflect.Func && readerType.ConvertibleTo(t)
}

func number(s string) *float64 {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return &f
	}
	return nil
}

func (d *decoder) fault(n *node, key, hint, format string, args ...any) {
	d.faults.add(n.pos, key, hint, format, args...)
}

// section decodes the keys of n into the struct v.
func (d *decoder) section(n *node, v reflect.Value, key string) {
	if v.CanAddr() {
		if def, ok := v.Addr().Interface().(defaulter); ok {
			def.SetDefaults()
		}
	}
	if n.kind != section {
		d.wrong(n, key, "a section of keys")
		return
	}
	fields := fieldsOf(v.Type())
	given := map[string]*node{}
	for _, p := range n.pairs {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == p.key })
		if i < 0 {
			d.unknown(p, key, fields)
			continue
		}
		given[p.key] = p.value
		if target, err := v.FieldByIndexErr(fields[i].index); err == nil {
			d.value(p.value, target, join(key, p.key), fields[i])
		}
	}
	d.exclusive(given, fields, key)
	for _, f := range fields {
		if f.required && given[f.name] == nil && !f.file && given[f.name+"_file"] == nil {
			name := f.name
			if f.secret {
				name += " or " + name + "_file"
			}
			d.faults.add(n.key, join(key, f.name), "", "%s is missing", join(key, name))
		}
	}
}

func (d *decoder) unknown(p pair, key string, fields []field) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	where := ""
	if key != "" {
		where = " in " + key
	}
	hint := didYouMean(p.key, names, "the keys here are")
	if section := sectionWith(p.key, fields); section != "" {
		hint = "it belongs under " + section
	}
	d.faults.add(p.value.key, join(key, p.key), hint, "unknown key %s%s", p.key, where)
}

// sectionWith returns the field whose section has a key that was written one level too high.
func sectionWith(key string, fields []field) string {
	for _, f := range fields {
		t := f.typ
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		_, short := reflect.New(t).Interface().(polymorph)
		if t.Kind() == reflect.Struct && !short && slices.ContainsFunc(fieldsOf(t), func(f field) bool { return f.name == key }) {
			return f.name
		}
	}
	return ""
}

// exclusive refuses x together with x_file, and two keys of one group.
func (d *decoder) exclusive(given map[string]*node, fields []field, key string) {
	first := map[string]field{}
	for _, f := range fields {
		n := given[f.name]
		if n == nil {
			continue
		}
		if other := given[strings.TrimSuffix(f.name, "_file")]; other != nil && other != n {
			d.faults.add(n.key, join(key, f.name), "keep one of them", "%s and %s are both given",
				strings.TrimSuffix(f.name, "_file"), f.name)
			continue
		}
		if f.group == "" {
			continue
		}
		if one, ok := first[f.group]; ok {
			d.faults.add(n.key, join(key, f.name), "keep one of them", "%s and %s are both given", one.name, f.name)
			continue
		}
		first[f.group] = f
	}
}

// value decodes n into v.
func (d *decoder) value(n *node, v reflect.Value, key string, f field) {
	if n.kind == scalar && n.tag == "!!null" {
		d.faults.add(n.key, key, "give it one or remove the key", "%s has no value", key)
		return
	}
	if v.Kind() == reflect.Pointer {
		p := reflect.New(v.Type().Elem())
		d.value(n, p.Elem(), key, f)
		v.Set(p)
		return
	}
	if v.CanAddr() {
		switch p := v.Addr().Interface().(type) {
		case polymorph:
			p.decode(d, n, key, f)
			return
		case encoding.TextUnmarshaler:
			if n.kind == section && v.Kind() == reflect.Struct && len(fieldsOf(v.Type())) > 0 {
				break // the longer form
			}
			if text, ok := d.text(n, key, f); ok {
				if err := p.UnmarshalText([]byte(text)); err != nil {
					d.fault(n, key, "", "%s: %v", key, err)
				}
			}
			return
		}
	}
	switch v.Kind() {
	case reflect.Func:
		var s Secret
		if s.decode(d, n, key, f); !s.IsZero() {
			v.Set(reflect.ValueOf(s.Read).Convert(v.Type()))
		}
	case reflect.Struct:
		d.section(n, v, key)
	case reflect.Slice:
		d.list(n, v, key, f)
	case reflect.Map:
		d.table(n, v, key, f)
	case reflect.String:
		anyText := len(f.enum) == 0 && (f.format == "" || f.format == "path" || f.format == "logo")
		if anyText && n.kind == scalar && n.tag != "!!str" && n.text == n.raw {
			d.fault(n, key, "put it in quotes", "%s must be a text, not %s", key, describe(n))
			return
		}
		if text, ok := d.text(n, key, f); ok {
			v.SetString(text)
		}
	case reflect.Bool:
		if n.kind != scalar || n.text != "true" && n.text != "false" {
			d.wrong(n, key, "true or false")
			return
		}
		v.SetBool(n.text == "true")
	default:
		d.number(n, v, key, f)
	}
}

func (d *decoder) number(n *node, v reflect.Value, key string, f field) {
	var value float64
	var err error
	switch {
	case v.Type() == durationType:
		var t time.Duration
		if n.kind == scalar {
			t, err = ParseDuration(n.text)
		}
		if n.kind != scalar || err != nil {
			d.wrong(n, key, "a duration such as 90s, 15m or 30d")
			return
		}
		v.SetInt(int64(t))
		return
	case v.CanInt():
		var i int64
		i, err = strconv.ParseInt(n.text, 10, v.Type().Bits())
		if value = float64(i); err == nil {
			v.SetInt(i)
		}
	case v.CanFloat():
		if value, err = strconv.ParseFloat(n.text, v.Type().Bits()); err == nil {
			v.SetFloat(value)
		}
	default:
		panic(fmt.Sprintf("configs: field %s has the type %s, which has no form in YAML", key, v.Type()))
	}
	if n.kind != scalar || err != nil || value != value {
		d.wrong(n, key, map[bool]string{true: "a whole number", false: "a number"}[v.CanInt()])
		return
	}
	if f.min != nil && value < *f.min {
		d.fault(n, key, "", "%s must be at least %v", key, *f.min)
	}
	if f.max != nil && value > *f.max {
		d.fault(n, key, "", "%s must be at most %v", key, *f.max)
	}
}

func (d *decoder) list(n *node, v reflect.Value, key string, f field) {
	if n.kind != list {
		d.wrong(n, key, "a list")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		d.value(item, out.Index(i), fmt.Sprintf("%s[%d]", key, i), f)
	}
	v.Set(out)
}

func (d *decoder) table(n *node, v reflect.Value, key string, f field) {
	if n.kind != section {
		d.wrong(n, key, "a section of keys")
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.pairs))
	for _, p := range n.pairs {
		value := reflect.New(v.Type().Elem()).Elem()
		d.value(p.value, value, join(key, p.key), f)
		out.SetMapIndex(reflect.ValueOf(p.key).Convert(v.Type().Key()), value)
	}
	v.Set(out)
}

// text returns the text of a scalar that fits the field's words and format.
func (d *decoder) text(n *node, key string, f field) (string, bool) {
	if n.kind != scalar {
		d.wrong(n, key, "a text")
		return "", false
	}
	if len(f.enum) > 0 && !slices.Contains(f.enum, n.text) {
		d.fault(n, key, didYouMean(n.raw, f.enum, "write"), "%s cannot be %s", key, quote(n.raw))
		return "", false
	}
	if n.text == "" && f.format != "" {
		d.fault(n, key, "", "%s is empty", key)
		return "", false
	}
	return d.format(n, key, f.format)
}

// wrong reports a value of another type. It does not print the value, which may be a secret.
func (d *decoder) wrong(n *node, key, want string) {
	hint := ""
	if n.kind == list && (want == "a text" || strings.HasPrefix(want, "an expression")) {
		hint = `write it in quotes: without them YAML reads "[…]" as a list`
	}
	if key == "" {
		key = "the file"
	}
	d.fault(n, key, hint, "%s must be %s, not %s", key, want, describe(n))
}

func describe(n *node) string {
	switch n.kind {
	case list:
		return "a list"
	case section:
		return "a section of keys"
	}
	switch n.tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	}
	return "this text"
}

// quote prints a value of the file in a message, shortened.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return strconv.Quote(s)
}
