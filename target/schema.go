package target

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Sub-attributes that all multi-valued attributes of RFC 7643, section 2.4, have.
var multiValued = []string{"value", "display", "type", "primary", "$ref"}

// coreUser and coreGroup are the attributes of the core schemas with their sub-attributes
// (RFC 7643, sections 3.1, 4.1 and 4.2). They serve to find misspellings.
var (
	coreUser = map[string][]string{
		"id": nil, "externalId": nil, "meta": {"resourceType", "created", "lastModified", "location", "version"}, "schemas": nil,
		"userName": nil, "displayName": nil, "nickName": nil, "profileUrl": nil, "title": nil, "userType": nil,
		"preferredLanguage": nil, "locale": nil, "timezone": nil, "active": nil, "password": nil,
		"name":   {"formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"},
		"emails": multiValued, "phoneNumbers": multiValued, "ims": multiValued, "photos": multiValued,
		"addresses": {"formatted", "streetAddress", "locality", "region", "postalCode", "country", "type", "primary"},
		"groups":    multiValued, "entitlements": multiValued, "roles": multiValued, "x509Certificates": multiValued,
	}
	coreGroup = map[string][]string{
		"id": nil, "externalId": nil, "meta": {"resourceType", "created", "lastModified", "location", "version"}, "schemas": nil,
		"displayName": nil, "members": multiValued,
	}
)

// A Misspelling is a name that the core schema does not have although it has one like it.
type Misspelling struct {
	Name string // as written, such as name.givnName
	Near string // what was probably meant: name.givenName
}

// Misspelled looks for a misspelled attribute or sub-attribute of the core schema in a path. Names
// that come near none are taken to be the application's own.
func (p Path) Misspelled(kind Kind) (m Misspelling, ok bool) { return p.ref.misspelled(kind) }

// Misspelled returns the misspelled attributes of the core schema in a filter.
func (f Filter) Misspelled(kind Kind) (found []Misspelling) {
	if f.node == nil {
		return nil
	}
	f.node.references(func(r reference) {
		if m, ok := r.misspelled(kind); ok && !slices.Contains(found, m) {
			found = append(found, m)
		}
	})
	return found
}

func (r reference) misspelled(kind Kind) (m Misspelling, ok bool) {
	core := coreUser
	if kind == Group {
		core = coreGroup
	}
	if r.schema != "" {
		return m, false
	}
	var names []string
	for name, subs := range core {
		if !strings.EqualFold(name, r.name) {
			names = append(names, name)
			continue
		}
		if r.sub == "" || len(subs) == 0 || slices.ContainsFunc(subs, func(sub string) bool { return strings.EqualFold(sub, r.sub) }) {
			return m, false
		}
		near := nearName(r.sub, subs)
		if near == "" {
			return m, false
		}
		return Misspelling{Name: name + "." + r.sub, Near: name + "." + near}, true
	}
	near := nearName(r.name, names)
	return Misspelling{Name: r.name, Near: near}, near != ""
}

// nearName returns the candidate that differs from a word by a letter or two, or by their order, ""
// for none. Of a short word nothing is near: role and roles are two names.
func nearName(word string, candidates []string) string {
	word = strings.ToLower(word)
	candidates = slices.Sorted(slices.Values(candidates))
	for distance := 1; distance <= 2; distance++ {
		for _, candidate := range candidates {
			lower := strings.ToLower(candidate)
			switch d := levenshtein.ComputeDistance(word, lower); {
			case d != distance:
			case len(word) > 3*distance+1, d == 2 && letters(word) == letters(lower):
				return candidate
			}
		}
	}
	return ""
}

// letters returns the letters of a word in order: two words with the same have letters transposed.
func letters(word string) string {
	sorted := []byte(word)
	slices.Sort(sorted)
	return string(sorted)
}
