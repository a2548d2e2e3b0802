// Package starter makes the configuration that entrasync init writes: the commented starter with what is known filled
// in, and the one for a rehearsal against the emulator.
//
// It writes no file. A target's section is made from the options of its type, so that a new type needs nothing here.
package starter

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"entrasync/cmd/internal/advice"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/target/all"
)

// What is known of the configuration to write; empty for what the user fills in later.
type Answers struct {
	Tenant   string // id of the directory
	ClientID string // of the app registration
	Target   string // type; scim where it is empty
	URL      string // of the application
}

// placeholder stands in the starter where an id is to be filled in.
const placeholder = "00000000-0000-0000-0000-000000000000"

// Types are the types of targets, sorted.
func Types() []string { return slices.Sorted(maps.Keys(all.Types)) }

// Validate returns the first answer that cannot be, with what to give instead.
func (a Answers) Validate() error {
	for _, err := range []error{CheckID("--tenant", a.Tenant, "the Directory (tenant) ID"), CheckID("--client-id", a.ClientID, "the Application (client) ID"), CheckType(a.Target)} {
		if err != nil {
			return err
		}
	}
	return a.CheckURL(a.URL)
}

// CheckID returns why a text is no id.
func CheckID(name, id, what string) error {
	if id == "" {
		return nil
	}
	if _, err := graphsync.ParseID(id); err != nil {
		return advice.With(fmt.Errorf("%s is %q, want an id such as 11111111-1111-1111-1111-111111111111", name, id), "copy "+what+" from the Overview page of the app registration")
	}
	if id == placeholder {
		return advice.With(fmt.Errorf("%s is the placeholder", name), "copy "+what+" from the Overview page of the app registration")
	}
	return nil
}

// CheckType returns why a text is no type of target.
func CheckType(name string) error {
	if _, ok := all.Types[name]; !ok && name != "" {
		return fmt.Errorf("--target is %q, want one of %s", name, strings.Join(Types(), ", "))
	}
	return nil
}

// CheckURL returns why a text is no address of the application.
func (a Answers) CheckURL(address string) error {
	if address == "" {
		return nil
	}
	if !hasURL(a.kind()) {
		return advice.With(fmt.Errorf("a target of type %s has no address", a.kind()), "leave --url out, or name another type with --target")
	}
	u, err := url.Parse(address)
	suited := u != nil && (u.Scheme == "https" || u.Scheme == "http")
	want := "https://scim.example.com/v2"
	if own := addressExample(a.kind()); own != "" {
		scheme, _, _ := strings.Cut(own, "://")
		want, suited = own, u != nil && (u.Scheme == scheme || u.Scheme == strings.TrimSuffix(scheme, "s"))
	}
	if err != nil || u.Host == "" || !suited || u.Fragment != "" {
		return fmt.Errorf("--url is %q, want an address such as %s", address, want)
	}
	return nil
}

func (a Answers) kind() string {
	if a.Target == "" {
		return "scim"
	}
	return a.Target
}

func hasURL(kind string) bool {
	_, has := reflect.TypeOf(all.Types[kind]()).Elem().FieldByName("URL")
	return has
}

// addressExample is an address of a type whose applications are not reached by HTTP, "" for the others.
func addressExample(kind string) string {
	field, _ := reflect.TypeOf(all.Types[kind]()).Elem().FieldByName("URL")
	return field.Tag.Get("example")
}

// Configuration returns the text of the configuration.
func Configuration(a Answers) string {
	text := configs.Starter()
	if a.ClientID != "" {
		text = strings.Replace(text, "client_id: "+placeholder, "client_id: "+a.ClientID, 1)
	}
	if a.Tenant != "" {
		text = strings.Replace(text, "    id: "+placeholder, "    id: "+a.Tenant, 1)
	}
	if a.kind() == "scim" {
		if a.URL != "" {
			text = strings.Replace(text, "url: https://scim.example.com/v2", "url: "+quoted(a.URL), 1)
		}
		return text
	}
	before, rest, _ := strings.Cut(text, "# 3. ")
	_, after, _ := strings.Cut(rest, "\nsyncs:")
	return before + "# 3. The application that gets the accounts.\n" + section(a) + "\nsyncs:" + after
}

// section is the target's part of the configuration: the keys that it needs, then the others as comments.
func section(a Answers) string {
	needed, other := keys(a, reflect.TypeOf(all.Types[a.kind()]()).Elem(), "    ")
	return "targets:\n  app:\n    type: " + a.kind() + "\n" + needed + other
}

// keys are the lines of a section: of the keys that it needs, and of the others as comments.
func keys(a Answers, options reflect.Type, indent string) (needs, others string) {
	var needed, other strings.Builder
	secret := false
	for i := range options.NumField() {
		field := options.Field(i)
		name, doc := field.Tag.Get("yaml"), field.Tag.Get("doc")
		if name == "" || name == "-" {
			continue
		}
		isSecret := field.Tag.Get("oneof") != ""
		switch {
		case isSecret && strings.HasSuffix(name, "_file") && !secret:
			secret = true
			fmt.Fprintf(&needed, "%s%s: ${CREDENTIALS_DIRECTORY:-.}/target-secret  # %s\n", indent, name, doc)
		case field.Tag.Get("required") == "true" && field.Type.Kind() == reflect.Struct:
			inner, _ := keys(a, field.Type, indent+"  ")
			fmt.Fprintf(&needed, "%s%s:  # %s\n%s", indent, name, doc, inner)
		case field.Tag.Get("required") == "true" && field.Type.Kind() == reflect.Map:
			fmt.Fprintf(&needed, "%s%s:  # %s\n%s", indent, name, doc, columns(indent+"  ", field.Tag.Get("example")))
		case field.Tag.Get("required") == "true", field.Tag.Get("example") != "":
			fmt.Fprintf(&needed, "%s%s: %s  # %s\n", indent, name, example(a, field), doc)
		case !isSecret:
			fmt.Fprintf(&other, "%s# %s: %s\n", indent, name, doc)
		}
	}
	return needed.String(), other.String()
}

// columns are a column for each attribute of the starter, by the name that examples give, such as userName=uid, or else
// by the attribute's own. Whether an account is active is said elsewhere.
func columns(indent, examples string) string {
	var b strings.Builder
	known := map[string]string{}
	for _, pair := range strings.Fields(examples) {
		attribute, name, _ := strings.Cut(pair, "=")
		known[attribute] = name
	}
	_, mapped, _ := strings.Cut(configs.Starter(), "\n      attributes:\n")
	mapped, _, _ = strings.Cut(mapped, "\n\n")
	for _, line := range strings.Split(mapped, "\n") {
		attribute, _, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || attribute == "active" {
			continue
		}
		name := strings.Trim(attribute, "'")
		if name = strings.TrimSuffix(name, ".value"); strings.Contains(name, "[") {
			name, _, _ = strings.Cut(name, "[")
		}
		name = name[strings.LastIndexAny(name, ".:")+1:]
		if other := known[name]; other != "" {
			name = other
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent, attribute, name)
	}
	return b.String()
}

// example is a value to fill in for an option.
func example(a Answers, field reflect.StructField) string {
	switch {
	case field.Name == "URL" && a.URL != "":
		return quoted(a.URL)
	case field.Tag.Get("example") != "":
		return field.Tag.Get("example")
	case field.Tag.Get("format") == "url":
		return "https://application.example.com/accounts"
	case field.Tag.Get("format") == "path":
		return "accounts.jsonl"
	case field.Tag.Get("enum") != "":
		first, _, _ := strings.Cut(field.Tag.Get("enum"), ",")
		return first
	case field.Type.Kind() == reflect.Slice:
		return "[/usr/local/bin/application]"
	}
	return "application"
}

// quoted is a text as YAML takes it, whatever is in it. What looks like a variable stands for itself.
func quoted(text string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(text, "${", "$${"), "'", "''") + "'"
}
