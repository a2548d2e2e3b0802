package compile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"entrasync/configs"
	"entrasync/target/all"
)

// targets decodes each target's options with the struct of its type.
func targets(cfg *configs.Config) (faults configs.Faults) {
	for _, entry := range cfg.Targets {
		_, fs := Options(entry.Value)
		faults = append(faults, fs...)
	}
	return faults
}

// Options decodes the options of a target section, {tenant} as it is written; nil when the section
// names no type, which configs reports.
func Options(t configs.Target) (all.Options, configs.Faults) {
	fresh, known := all.Types[t.Type]
	if !known {
		if t.Type == "" {
			return nil, nil
		}
		names := slices.Sorted(maps.Keys(all.Types))
		hint := "known types: " + strings.Join(names, ", ")
		if near := configs.Nearest(t.Type, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		return nil, configs.Faults{{Position: t.Pos, Key: "targets." + t.Name + ".type", Message: fmt.Sprintf("%q is not a type of target", t.Type), Hint: hint}}
	}
	options := fresh()
	if err := t.Options.Decode(options); err != nil {
		var faults configs.Faults
		if errors.As(err, &faults) {
			return nil, faults
		}
		return nil, configs.Faults{{Position: t.Pos, Key: "targets." + t.Name, Message: err.Error()}}
	}
	var faults configs.Faults
	for _, f := range options.Validate() {
		faults = append(faults, configs.Fault{Position: t.Options.Position(f.Key...), Key: "targets." + t.Name + "." + strings.Join(f.Key, "."), Message: f.Message, Hint: f.Hint})
	}
	return options, faults
}

// An Application is what a sync writes to for one tenant.
type Application struct {
	Options all.Options // {tenant} replaced

	// Key names the application: the target's name, or with {tenant} in its options
	// TARGET/EXPANSION, as each tenant then has an application of its own.
	Key string

	// Place tells the places of accounts apart. It is a digest, as an address may hold a secret.
	Place string
}

// ApplicationOf returns the application that a target section is for a tenant.
func ApplicationOf(cfg *configs.Config, name, expansion string) (Application, error) {
	section, ok := cfg.Targets.Get(name)
	if !ok {
		return Application{}, fmt.Errorf("there is no target %q", name)
	}
	common, faults := Options(section)
	if err := faults.Err(); err != nil {
		return Application{}, err
	}
	a := Application{Options: common.For(expansion), Key: name}
	if !reflect.DeepEqual(a.Options, common) {
		a.Key += "/" + expansion
	}
	a.Place = fmt.Sprintf("%x", sha256.Sum256([]byte(section.Type+" "+a.Options.Place())))
	return a, nil
}

// PlaceOf returns where the configuration has the application of a key, "" when it has none.
func PlaceOf(cfg *configs.Config, key string) string {
	name, expansion, _ := strings.Cut(key, "/")
	a, err := ApplicationOf(cfg, name, expansion)
	if err != nil || a.Key != key {
		return ""
	}
	return a.Place
}

// SharesAccounts reports whether the application of a target may keep accounts of several tenants.
// It may as long as its options are not known.
func SharesAccounts(cfg *configs.Config, target string) bool {
	section, ok := cfg.Targets.Get(target)
	if !ok {
		return true
	}
	common, faults := Options(section)
	return faults.Err() != nil || common == nil || common.SharesAccounts()
}

// PerTenant reports whether {tenant} stands in a target's options.
func PerTenant(options all.Options) bool {
	return !reflect.DeepEqual(options.For(AnyTenant), options)
}

// sameAccounts refuses two target sections that lead to the same accounts. Accounts are claimed
// by section: what one tenant keeps in the first, another would take over, rename or switch off
// through the second.
func sameAccounts(cfg *configs.Config, syncs []*Sync) (faults configs.Faults) {
	first := map[string]string{}
	refused := map[string]bool{}
	for _, s := range syncs {
		application, err := ApplicationOf(cfg, s.TargetName, s.Expansion)
		if err != nil {
			continue // reported elsewhere
		}
		accounts := application.Options.Accounts()
		other, known := first[accounts]
		switch {
		case !known:
			first[accounts] = s.TargetName
		case other != s.TargetName && !refused[s.TargetName]:
			refused[s.TargetName] = true
			section, _ := cfg.Targets.Get(s.TargetName)
			faults = append(faults, configs.Fault{Position: section.Pos, Key: "targets." + s.TargetName,
				Message: fmt.Sprintf("target %s leads to the same accounts as target %s: the same address with the same credential", s.TargetName, other),
				Hint:    fmt.Sprintf("write the syncs to one of them (to: %s), so that no account is kept twice", other)})
		}
	}
	return faults
}
