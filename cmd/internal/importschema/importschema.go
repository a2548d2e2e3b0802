// Package importschema turns the schema of a Microsoft Entra provisioning job, as Graph and the
// portal give it in JSON (synchronizationSchema), into a `syncs:` section of the configuration.
//
// It is not a reader of jobs: it makes no call, and what is not in the schema (assigned or all,
// the accidental-deletion threshold, the application's address and credential) is not known to
// it. It promises that the section loads and compiles, that no user enters the scope through a
// clause that could not be carried over, that deletion is never switched on, and that all of what
// was left out or means something else here is told with the reason.
package importschema

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"entrasync/cmd/internal/jsonfile"
	"entrasync/configs"
)

// Options name what the section refers to. The zero Options use the names of the starter
// configuration.
type Options struct {
	Sync string // name of the sync; default "app"
	From string // tenant; default "main"
	To   string // target; default "app"
	Rule string // synchronization rule, when there are several
}

// A Kind says how much a Note matters.
type Kind string

// The kinds of notes; the words are stable.
const (
	LeftOut Kind = "left_out" // not in the section
	Changed Kind = "changed"  // in the section, with another meaning than in Entra
	Advice  Kind = "advice"   // the same, and worth a look
)

// A Note says what a part of the schema was converted to.
type Note struct {
	Kind    Kind   `json:"kind"`
	Place   string `json:"place"` // such as "Users: userType"
	Message string `json:"message"`
}

// String returns the note as one line.
func (n Note) String() string { return n.Place + ": " + n.Message }

// A Result is an imported schema.
type Result struct {
	YAML  string // comments and a section syncs:
	Notes []Note // in the order of the schema
}

// Convert imports a schema. name is the file's, for messages; text is its content in UTF-8.
// An error says where the text is not what it should be.
func Convert(name string, text []byte, o Options) (*Result, error) {
	o.Sync, o.From, o.To = or(o.Sync, "app"), or(o.From, "main"), or(o.To, "app")
	if err := o.check(); err != nil {
		return nil, err
	}
	s, err := read(name, text)
	if err != nil {
		return nil, err
	}
	r, err := choose(name, text, s, o.Rule)
	if err != nil {
		return nil, err
	}
	c := &converter{schema: s, rule: r, Options: o}
	users, groups, err := c.objects()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", jsonfile.Name(name), err)
	}
	c.rest()
	section, err := c.section(users, groups)
	if err != nil {
		return nil, err
	}
	result := &Result{YAML: c.head() + section, Notes: c.notes}
	if err := loads(result.YAML, o); err != nil {
		return nil, fmt.Errorf("%s: the section made of it does not load: %w", jsonfile.Name(name), err)
	}
	return result, nil
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// named are the names a configuration allows.
var named = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (o Options) check() error {
	for _, name := range []string{o.Sync, o.From, o.To} {
		if !named.MatchString(name) {
			return fmt.Errorf("%s cannot be a name: use up to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit", quote(name))
		}
	}
	return nil
}

// loads puts the section under the least head and reads it as a configuration.
func loads(section string, o Options) error {
	head := "app: {client_id: 00000000-0000-0000-0000-000000000000, client_secret_file: secret}\nconsent: {public_url: \"https://localhost\"}\n" +
		"targets: {" + strconv.Quote(o.To) + ": {type: file, path: out}}\n"
	if o.From != "consented" {
		head += "tenants: {" + strconv.Quote(o.From) + ": {id: 00000000-0000-0000-0000-000000000000}}\n"
	}
	_, err := configs.Parse("section", []byte(head+section), func(string) (string, bool) { return "", false })
	return err
}

// A converter imports one rule.
type converter struct {
	Options
	schema *schema
	rule   *rule
	notes  []Note
}

func (c *converter) note(kind Kind, place, format string, args ...any) {
	c.notes = append(c.notes, Note{kind, oneLine(place), oneLine(fmt.Sprintf(format, args...))})
}

// rest tells what else the schema holds and the section has no place for.
func (c *converter) rest() {
	for i := range c.schema.Rules {
		if r := &c.schema.Rules[i]; r != c.rule {
			c.note(LeftOut, "Rule "+r.Name, "it goes from %s to %s; only one rule is imported", quote(r.Source), quote(r.Target))
		}
	}
	if f := c.rule.ContainerFilter; f != nil && len(f.Containers) > 0 {
		c.note(LeftOut, "Rule "+c.rule.Name, "containerFilter chooses organizational units of a directory on premises")
	}
	if f := c.rule.GroupFilter; f != nil && len(f.Groups) > 0 {
		c.note(LeftOut, "Rule "+c.rule.Name, "groupFilter chooses groups (%d); assign them to the application instead", len(f.Groups))
	}
}

// oneLine keeps text out of a schema from being more than one line of printable characters.
func oneLine(s string) string {
	return shorten(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || !strconv.IsPrint(r) }), " "), 400)
}

func quote(s string) string { return strconv.Quote(shorten(s, 60)) }

func shorten(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
