package configs

import (
	"fmt"
	"reflect"
	"strings"
)

// A Target is one application. What its type of application needs is in Options.
type Target struct {
	Name    string
	Type    string
	Pos     Position `json:"-"` // of the type
	Expires string   // day on which its credential ends, as a person says; "": not said
	Options Node
}

// expiresKey is a key that each type of target has.
const expiresKey = "expires"

// expiresDoc describes it.
const expiresDoc = "Day on which the credential for this application ends (2027-03-01), to be reminded of it. Not needed for what says so itself: a bearer token that is a JWT, and certificates."

func (t *Target) decode(d *decoder, n *node, key string, _ field) {
	if n.kind != section {
		d.wrong(n, key, "a section of keys")
		return
	}
	t.Name = strings.TrimPrefix(key, "targets.")
	rest := *n
	rest.pairs = nil
	for _, p := range n.pairs {
		if p.key == "type" {
			t.Type, _ = d.text(p.value, join(key, "type"), field{})
			t.Pos = p.value.pos
			continue
		}
		if p.key == expiresKey {
			t.Expires, _ = d.text(p.value, join(key, expiresKey), field{format: "date"})
			continue
		}
		rest.pairs = append(rest.pairs, p)
	}
	if t.Type == "" && n.get("type") == nil {
		d.faults.add(n.key, join(key, "type"), "such as type: scim", "%s is missing", join(key, "type"))
	}
	t.Options = Node{node: &rest, dir: d.dir, key: key}
}

// A Node is a section that is kept for others to decode.
type Node struct {
	node *node
	dir  string
	key  string
}

// Decode puts the section into a struct, a pointer to which is given, as strictly as the rest of
// the configuration is read. The error is [Faults]; keys already decoded keep their values. A method SetFolder(string) is
// told the configuration's folder, for paths that are part of a longer value.
func (n Node) Decode(into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("configs: Decode needs a pointer to a struct, not %T", into))
	}
	if options, ok := into.(interface{ SetFolder(dir string) }); ok {
		options.SetFolder(n.dir)
	}
	if n.node == nil {
		return nil
	}
	var faults Faults
	d := &decoder{dir: n.dir, faults: &faults}
	d.section(n.node, v.Elem(), n.key)
	return faults.Err()
}

// Position returns where the key at a path inside the section has its value, or the nearest
// section around it that exists.
func (n Node) Position(path ...string) Position {
	if n.node == nil {
		return Position{}
	}
	return n.node.find(path).place()
}
