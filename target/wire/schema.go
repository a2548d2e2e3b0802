package wire

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// A method is a message: what is asked and what is answered.
type method struct {
	name   string
	about  string
	params any
	result any
}

// methods are all messages, in the order of a cycle.
var methods = []method{
	{"hello", "The first message. It hands over what the configuration has for the application.", HelloParams{}, HelloResult{}},
	{"probe", "Does it work? Sent by check; nothing is changed.", ProbeParams{}, ProbeResult{}},
	{"find", "Resources that have a value.", FindParams{}, FindResult{}},
	{"get", "One resource by id. One that does not exist is the error target_missing.", RefParams{}, ResourceResult{}},
	{"list", "A page of all resources of a kind.", ListParams{}, ListResult{}},
	{"create", "A new resource. One whose name is taken is the error duplicate_target.", CreateParams{}, ResourceResult{}},
	{"update", "The attributes that are named, and no others. A resource that does not exist is the error target_missing, a name that is taken duplicate_target.", UpdateParams{}, UpdateResult{}},
	{"delete", "A resource is removed. One that is gone already is success.", RefParams{}, Nothing{}},
	{"changeMembers", "Who is in a group. A group that does not exist is the error target_missing.", ChangeMembersParams{}, ChangeMembersResult{}},
	{"members", "A page of a group's members.", MembersParams{}, MembersResult{}},
	{"close", "The cycle is over: what was answered has to be kept by now. Standard input ends after it.", Nothing{}, Nothing{}},
}

type schema = map[string]any

// MessageSchema is the JSON Schema of the messages (draft 2020-12): what is sent, under question, and what may be
// answered, under answer; each method's params and result under its name.
func MessageSchema() ([]byte, error) {
	defs := schema{}
	var questions []schema
	for _, m := range methods {
		params, result := m.name+".params", m.name+".result"
		defs[params] = object(reflect.TypeOf(m.params), defs)
		defs[result] = object(reflect.TypeOf(m.result), defs)
		questions = append(questions, schema{
			"description": m.about, "type": "object", "required": []string{"jsonrpc", "id", "method", "params"},
			"properties": schema{"jsonrpc": schema{"const": "2.0"}, "id": schema{"type": []string{"integer", "string"}}, "method": schema{"const": m.name}, "params": ref(params)},
		})
	}
	defs["question"] = schema{"oneOf": questions}
	defs["answer"] = schema{
		"type": "object", "required": []string{"jsonrpc", "id"},
		"properties": schema{
			"jsonrpc": schema{"const": "2.0"}, "id": schema{"type": []string{"integer", "string"}, "description": "That of the question."},
			"result": schema{"type": "object", "description": "The result of the question's method."}, "error": value(reflect.TypeFor[ErrorObject](), "", defs),
		},
		"oneOf": []schema{{"required": []string{"result"}}, {"required": []string{"error"}}},
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(schema{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "Messages between entrasync and a target of type exec or webhook",
		"anyOf":   []schema{ref("question"), ref("answer")},
		"$defs":   defs,
	})
	return out.Bytes(), err
}

func ref(name string) schema { return schema{"$ref": "#/$defs/" + name} }

// object is the schema of a struct. Others may add members of their own.
func object(t reflect.Type, defs schema) schema {
	properties := schema{}
	var required []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		property := value(f.Type, f.Tag.Get("enum"), defs)
		if f.Tag.Get("type") == "id" {
			property = schema{"type": []string{"string", "integer"}}
		}
		if doc := f.Tag.Get("doc"); doc != "" {
			property["description"] = doc
		}
		properties[name] = property
		if f.Tag.Get("required") == "true" || !strings.Contains(options, "omitempty") && strings.HasSuffix(t.Name(), "Params") {
			required = append(required, name)
		}
	}
	s := schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// value is the schema of a type. enum are the words of a text, or of the texts of a list.
func value(t reflect.Type, enum string, defs schema) schema {
	switch t.Kind() {
	case reflect.Pointer:
		return value(t.Elem(), enum, defs)
	case reflect.Struct:
		if _, ok := defs[t.Name()]; !ok {
			defs[t.Name()] = nil // a type may contain itself
			defs[t.Name()] = object(t, defs)
		}
		return ref(t.Name())
	case reflect.Slice:
		return schema{"type": "array", "items": value(t.Elem(), enum, defs)}
	case reflect.Map:
		if t.Elem().Kind() == reflect.String {
			return schema{"type": "object", "additionalProperties": schema{"type": "string"}}
		}
		return schema{"type": "object"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int:
		return schema{"type": "integer"}
	case reflect.Float64:
		return schema{"type": "number"}
	}
	s := schema{"type": "string"}
	if enum != "" {
		s["enum"] = strings.Split(enum, ",")
	}
	return s
}
