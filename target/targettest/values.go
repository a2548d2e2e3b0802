package targettest

import (
	"fmt"

	"entrasync/target"
)

var valueRules = []rule{
	{"values", "a value of any shape arrives as it was given, at creation and by Update: lists, filtered paths, extensions, any text", valuesOfAllShapes},
	{"clear", "nil clears a value, an empty list does too, and clearing what is not there is success", clearValues},
	{"apply-twice", "applying the same change twice is the same as once, since a change whose answer was lost is sent again", applyTwice},
	{"ownership", "the caller owns arguments and results: changing them afterwards changes nothing in the application", memoryOwnership},
}

// shapes returns two values for each attribute whose shape is worth a look.
func (t *trial) shapes() (first, second []target.Attribute) {
	add := func(path string, a, b any) {
		first = append(first, t.attrs(path, a)...)
		second = append(second, t.attrs(path, b)...)
	}
	value := func(values ...string) []any {
		list := []any{}
		for _, v := range values {
			list = append(list, map[string]any{"value": v})
		}
		return list
	}
	add("displayName", `Zoë "Zed" O'Neil \ 李小龍 🦊`, "tab\tand\nnewline & <b>")
	add("title", "Director, R&D (50%)", "Ingénieur d'État")
	add("nickName", "  spaces  ", "ß")
	add("name.familyName", "Ångström", "van 't Hoff")
	add(`emails[type eq "work"].value`, "zoe@example.com", "zoe+2@example.com")
	add(`phoneNumbers[type eq "mobile"].value`, "+31 6 1234 5678", "+31 6 8765 4321")
	add(`addresses[type eq "work"].locality`, "'s-Hertogenbosch", "Reykjavík")
	add("roles", value("Viewer", "Editor"), value("Editor", "Admin", "Analyst"))
	add(enterprise+"department", `R&D "Labs"`, "Ventes")
	add(enterprise+"employeeNumber", "0042", "0043")
	add("active", true, false)
	return first, second
}

func valuesOfAllShapes(t *trial) error {
	first, second := t.shapes()
	first = append(first, t.h.More...)
	zoe, err := t.createWith(target.User, append(t.attrs("userName", "zoe@example.com"), first...))
	if err != nil {
		return err
	}
	if err := t.holds(zoe.Ref, first); err != nil {
		return fmt.Errorf("at creation %w", err)
	}
	if _, err := t.a.Update(t.ctx, zoe.Ref, second); err != nil {
		return fmt.Errorf("could not update values: %w", err)
	}
	if err := t.holds(zoe.Ref, overlay(first, second)); err != nil {
		return fmt.Errorf("by Update %w", err)
	}

	// The same onto an account that has nothing yet: there is no element to change.
	bare, err := t.createWith(target.User, t.attrs("userName", "bare@example.com", "active", true))
	if err != nil {
		return err
	}
	if _, err := t.a.Update(t.ctx, bare.Ref, first); err != nil {
		return fmt.Errorf("could not give values to an account that has none: %w", err)
	}
	return t.holds(bare.Ref, first)
}

func clearValues(t *trial) error {
	ada, err := t.createWith(target.User, append(t.person("ada@example.com"), t.attrs("roles", []any{map[string]any{"value": "Viewer"}})...))
	if err != nil {
		return err
	}
	cleared := t.attrs("title", nil, "name.familyName", nil, `emails[type eq "work"].value`, nil, enterprise+"department", nil, "roles", []any{}, "nickName", nil)
	for _, time := range []string{"values", "values that are not there"} {
		if _, err := t.a.Update(t.ctx, ada.Ref, cleared); err != nil {
			return fmt.Errorf("could not clear %s: %w", time, err)
		}
		if err := t.holds(ada.Ref, overlay(t.person("ada@example.com"), cleared)); err != nil {
			return err
		}
	}
	return nil
}

func applyTwice(t *trial) error {
	first, second := t.shapes()
	zoe, err := t.createWith(target.User, append(t.attrs("userName", "zoe@example.com"), first...))
	if err != nil {
		return err
	}
	var once *target.Resource
	for i := range 2 {
		if _, err := t.a.Update(t.ctx, zoe.Ref, second); err != nil {
			return fmt.Errorf("could not apply a change for time %d: %w", i+1, err)
		}
		now, err := t.read(zoe.Ref)
		if err != nil {
			return err
		}
		if i == 0 {
			once = now
		} else if err := unchanged(once, now); err != nil {
			return fmt.Errorf("on applying a change again, %w", err)
		}
	}
	return t.holds(zoe.Ref, second)
}

func memoryOwnership(t *trial) error {
	roles := []any{map[string]any{"value": "Viewer"}}
	given := append(t.person("ada@example.com"), t.attrs("roles", roles)...)
	want := append(t.person("ada@example.com"), t.attrs("roles", []any{map[string]any{"value": "Viewer"}})...)
	made, err := t.createWith(target.User, given)
	if err != nil {
		return err
	}
	ref := made.Ref
	scramble(roles)
	for i := range given {
		given[i] = target.Attribute{}
	}
	scramble(made.Attributes)
	if err := t.holds(ref, want); err != nil {
		return fmt.Errorf("shares memory with the caller of Create: it %w", err)
	}
	found, err := t.a.Find(t.ctx, target.User, at("userName"), "ada@example.com")
	if err != nil {
		return err
	}
	for i := range found {
		scramble(found[i].Attributes)
	}
	if err := t.holds(ref, want); err != nil {
		return fmt.Errorf("shares memory with the caller of Find: it %w", err)
	}
	if g, ok := ability[target.Getter](t.a); ok {
		got, err := g.Get(t.ctx, ref)
		if err != nil {
			return err
		}
		scramble(got.Attributes)
	}
	if after, err := t.a.Update(t.ctx, ref, t.attrs("title", "Engineer")); err != nil {
		return err
	} else if after != nil {
		scramble(after.Attributes)
	}
	if err := t.holds(ref, want); err != nil {
		return fmt.Errorf("shares memory with the caller of Get or Update: it %w", err)
	}
	return t.findsOne(target.User, "userName", "ada@example.com", ref.ID)
}
