package importschema

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"entrasync/target"
)

// A part is what an object mapping was converted to.
type part struct {
	kind       target.Kind
	label      string // "Users", "Groups"
	object     *objectMapping
	enabled    bool
	attributes []attribute
	match      []string
	actions    []string
	onRemove   string // "" leaves the default
	filter     []group
}

// objects converts the object mappings of users and of groups; groups is nil without one.
func (c *converter) objects() (users, groups *part, err error) {
	chosen := map[string]*objectMapping{}
	var seen []string
	for i := range c.rule.Objects {
		o := &c.rule.Objects[i]
		source := strings.ToLower(o.Source)
		seen = append(seen, quote(o.Source))
		place := "Object mapping " + or(o.Name, o.Source+" to "+o.Target)
		switch before := chosen[source]; {
		case source != "user" && source != "group":
			c.note(LeftOut, place, "it maps objects of type %s; entrasync provisions users and groups", quote(o.Source))
		case before == nil:
			chosen[source] = o
		case !before.on() && o.on():
			c.note(LeftOut, place, "another object mapping of %ss is switched off and was passed over for this one", source)
			chosen[source] = o
		default:
			c.note(LeftOut, place, "it is a second object mapping of %ss", source)
		}
	}
	if chosen["user"] == nil {
		return nil, nil, fmt.Errorf("rule %s maps no users (sourceObjectName User) but %s", quote(c.rule.Name), or(strings.Join(seen, ", "), "nothing"))
	}
	if len(chosen["user"].Attributes) == 0 {
		return nil, nil, errors.New("the object mapping of users has no attributeMappings; was the schema saved completely?")
	}
	users = c.users(chosen["user"])
	if chosen["group"] != nil {
		groups = c.groups(chosen["group"])
	}
	return users, groups, nil
}

func (o *objectMapping) on() bool { return o.Enabled == nil || *o.Enabled }

func (c *converter) users(o *objectMapping) *part {
	p := &part{kind: target.User, label: "Users", object: o, enabled: o.on()}
	c.convert(p)
	if len(p.match) == 0 {
		if !slices.ContainsFunc(p.attributes, func(a attribute) bool { return slices.Contains([]string{"externalId", "userName"}, a.spec.Path) }) {
			p.add("externalId", "[objectId]")
			c.note(Changed, "Users: externalId", "added, because accounts could not be matched with people otherwise")
		} else {
			c.note(Changed, "Users", "the schema names no matching attribute; externalId and userName are used, as far as they are mapped")
		}
	}
	add, update, remove := c.flows(p)
	if add {
		p.actions = append(p.actions, "create")
	}
	if update {
		p.actions = append(p.actions, "update")
	}
	if update || remove {
		p.actions = append(p.actions, "deactivate")
	}
	if update {
		p.actions = append(p.actions, "reactivate")
	}
	if !p.enabled {
		p.actions = nil
		c.note(Changed, "Users", "provisioning of users is switched off in Entra, so actions is empty: nothing is done until it names some")
	}
	if remove {
		c.note(Changed, "Users: flowTypes", "Entra deletes the account of a user who is deleted for good; here it is deactivated. "+
			"To delete, add delete to actions and set on_remove, such as {delete_after: 30d}")
	}
	if !slices.Contains(p.actions, "deactivate") {
		p.onRemove = "nothing"
	}
	c.note(Advice, "Users: scope", "the schema does not say whether the job takes those assigned or all users; assigned is written here")
	return p
}

func (c *converter) groups(o *objectMapping) *part {
	p := &part{kind: target.Group, label: "Groups", object: o, enabled: o.on()}
	if !p.enabled {
		c.note(LeftOut, "Groups", "provisioning of groups is switched off in Entra")
		return nil
	}
	c.convert(p)
	if len(p.attributes) == 0 {
		c.note(LeftOut, "Groups", "none of their attribute mappings could be carried over")
		return nil
	}
	if len(p.match) == 0 && !slices.ContainsFunc(p.attributes, func(a attribute) bool {
		return slices.Contains([]string{"externalId", "displayName"}, a.spec.Path)
	}) {
		p.match = []string{"externalId"} // compared with the object ID, mapped or not
		c.note(Changed, "Groups", "the schema names no matching attribute; externalId is compared with the object ID")
	}
	add, update, remove := c.flows(p)
	if add {
		p.actions = append(p.actions, "create")
	}
	if update {
		p.actions = append(p.actions, "update")
	}
	if remove {
		c.note(Changed, "Groups: flowTypes", "Entra deletes the group when it is deleted in the directory; here it stays. To delete, add delete to actions")
	}
	if len(p.filter) > 0 {
		c.note(Changed, "Groups: scope", "a filter under source takes every group of the directory that passes, assigned to the application or not")
	} else {
		c.note(Advice, "Groups: scope", "the schema does not say whether the job takes those assigned or all groups; assigned is written here")
	}
	if !slices.ContainsFunc(o.Attributes, func(m attributeMapping) bool { return strings.EqualFold(m.Target, "members") }) {
		c.note(Changed, "Groups: members", "the job does not write memberships; entrasync writes those of people who have accounts")
	}
	return p
}

// flows reads "Add, Update, Delete".
func (c *converter) flows(p *part) (add, update, remove bool) {
	var words []string
	switch flows := p.object.FlowTypes.(type) {
	case string:
		words = strings.Split(flows, ",")
	case []any:
		for _, word := range flows {
			words = append(words, fmt.Sprint(word))
		}
	case nil:
		c.note(Changed, p.label+": flowTypes", "they are not given; Add and Update were assumed")
		return true, true, false
	default:
		words = []string{fmt.Sprint(flows)}
	}
	for _, word := range words {
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "add":
			add = true
		case "update":
			update = true
		case "delete":
			remove = true
		case "", "none":
		default:
			c.note(LeftOut, p.label+": flowTypes", "%s is not known", quote(word))
		}
	}
	return add, update, remove
}
