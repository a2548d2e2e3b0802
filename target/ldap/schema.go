package ldap

import (
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// A schema is what a server says of its classes and attributes (RFC 4512, section 4.1), by name in lower case.
type schema struct {
	classes    map[string]*definition
	attributes map[string]*definition
}

// A definition is that of a class or an attribute.
type definition struct {
	names, sup, must, may []string
	equality              string
	single                bool // has one value at most
	kept                  bool // by the server: NO-USER-MODIFICATION
}

// read asks for the schema, once in a cycle. A server that does not tell has an empty one.
func (s *session) schema() (*schema, error) {
	s.h.mu.Lock()
	known := s.h.schema
	s.h.mu.Unlock()
	if known != nil {
		return known, nil
	}
	read := &schema{map[string]*definition{}, map[string]*definition{}}
	if s.server.subschema != "" {
		found, err := s.search(s.server.subschema, ldap.ScopeBaseObject, "(objectClass=subschema)", []string{"objectClasses", "attributeTypes"})
		if _, refused := answer(err); err != nil && !refused {
			return nil, err
		}
		if err == nil && len(found.Entries) == 1 {
			collect(read.classes, found.Entries[0].GetEqualFoldAttributeValues("objectClasses"))
			collect(read.attributes, found.Entries[0].GetEqualFoldAttributeValues("attributeTypes"))
		}
	}
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	s.h.schema = read
	return read, nil
}

func collect(into map[string]*definition, texts []string) {
	for _, text := range texts {
		d := define(text)
		for _, name := range d.names {
			into[strings.ToLower(name)] = d
		}
	}
}

// define reads a definition: ( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( … ) ).
func define(text string) *definition {
	d := &definition{}
	words := wordsOf(text)
	list := func(i int) (all []string) {
		if i >= len(words) {
			return nil
		}
		if words[i] != "(" {
			return []string{words[i]}
		}
		for i++; i < len(words) && words[i] != ")"; i++ {
			if words[i] != "$" {
				all = append(all, words[i])
			}
		}
		return all
	}
	for i, word := range words {
		switch word {
		case "NAME":
			d.names = list(i + 1)
		case "SUP":
			d.sup = list(i + 1)
		case "MUST":
			d.must = list(i + 1)
		case "MAY":
			d.may = list(i + 1)
		case "EQUALITY":
			d.equality = strings.Join(list(i+1), "")
		case "SINGLE-VALUE":
			d.single = true
		case "NO-USER-MODIFICATION":
			d.kept = true
		}
	}
	return d
}

// wordsOf takes a definition apart. A quoted text is a word that is no keyword.
func wordsOf(text string) (words []string) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		switch text[0] {
		case '(', ')', '$':
			words, text = append(words, text[:1]), text[1:]
		case '\'':
			quoted, rest, _ := strings.Cut(text[1:], "'")
			if strings.ContainsAny(quoted, " ()$") || quoted == strings.ToUpper(quoted) && !strings.ContainsAny(quoted, "0123456789-") {
				quoted = strings.ToLower(quoted) // a description: in lower case it is no keyword
			}
			words, text = append(words, quoted), rest
		default:
			end := strings.IndexAny(text, " ()$'")
			if end < 0 {
				end = len(text)
			}
			words, text = append(words, text[:end]), text[end:]
		}
	}
	return words
}

// knows reports whether the server told anything.
func (k *schema) knows() bool { return len(k.classes) > 0 }

// demands are the attributes that entries of classes must have; allows those that they may have besides. any is set where
// a class takes every attribute.
func (k *schema) demands(classes []string) (must, may []string, any bool) {
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		name = strings.ToLower(name)
		if seen[name] {
			return
		}
		seen[name] = true
		any = any || name == "extensibleobject"
		if d := k.classes[name]; d != nil {
			must, may = append(must, d.must...), append(may, d.may...)
			for _, sup := range d.sup {
				visit(sup)
			}
		}
	}
	for _, class := range classes {
		visit(class)
	}
	return must, may, any
}

// same reports whether two names are those of one attribute.
func (k *schema) same(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	d := k.attributes[strings.ToLower(a)]
	return d != nil && d == k.attributes[strings.ToLower(b)]
}

func (k *schema) has(list []string, name string) bool {
	return slices.ContainsFunc(list, func(other string) bool { return k.same(other, name) })
}

// comparable reports whether a server can search for a value of an attribute; true where it does not say.
func (k *schema) comparable(name string) bool {
	for range 10 { // an attribute may have it from another one
		d := k.attributes[strings.ToLower(name)]
		if d == nil || d.equality != "" {
			return true
		}
		if len(d.sup) == 0 {
			return false
		}
		name = d.sup[0]
	}
	return true
}
