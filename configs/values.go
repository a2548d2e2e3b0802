package configs

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// A Percent is a share of a hundred, written 10 or 10%.
type Percent float64

// String returns the percent as 10%.
func (p Percent) String() string { return strconv.FormatFloat(float64(p), 'g', -1, 64) + "%" }

func (p *Percent) decode(d *decoder, n *node, key string, _ field) {
	v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(n.text, "%")), 64)
	if n.kind != scalar || err != nil || math.IsNaN(v) || v < 0 || v > 100 {
		d.wrong(n, key, "a percentage from 0% to 100%")
		return
	}
	*p = Percent(v)
}

// ParseDuration reads Go's durations and, before them, weeks and days: 90s, 1h30m, 30d, 2w, 1d12h.
// A day has 24 hours. Negative durations are refused.
func ParseDuration(s string) (time.Duration, error) {
	var total time.Duration
	rest := s
	for _, u := range []struct {
		name   string
		length time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		digits, after, ok := strings.Cut(rest, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 16) // 65535 weeks fit
		if err != nil {
			return 0, fmt.Errorf("read duration %s: write it as 90s, 15m, 12h, 30d or 2w", quote(s))
		}
		total += time.Duration(n) * u.length
		rest = after
	}
	if rest == "" && s != "" {
		return total, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || total+d < 0 {
		return 0, fmt.Errorf("read duration %s: write it as 90s, 15m, 12h, 30d or 2w", quote(s))
	}
	return total + d, nil
}

// A Cloud is one of Microsoft's by name, or the addresses of another.
type Cloud struct {
	Name      string // "public", "usgov", "usgov-dod" or "china"; "" with addresses
	Authority string // where tokens come from
	Graph     string // where Graph is
	CAFile    string // certificates (PEM) to trust for both in place of the system's; "" for none
}

var clouds = []string{"public", "usgov", "usgov-dod", "china"}

type cloudAddresses struct {
	Authority string `yaml:"authority" format:"https" required:"true" doc:"Where tokens come from, such as https://login.microsoftonline.com."`
	Graph     string `yaml:"graph" format:"https" required:"true" doc:"Where Graph is, such as https://graph.microsoft.com."`
	CAFile    string `yaml:"ca_file" format:"path" doc:"Certificates (PEM) to trust for both, in place of the system's: those of entrasync emulate."`
}

func (c *Cloud) decode(d *decoder, n *node, key string, _ field) {
	if n.kind == section {
		var a cloudAddresses
		d.section(n, reflect.ValueOf(&a).Elem(), key)
		*c = Cloud{Authority: a.Authority, Graph: a.Graph, CAFile: a.CAFile}
		return
	}
	if name, ok := d.text(n, key, field{enum: clouds}); ok {
		*c = Cloud{Name: name}
	}
}

// From is where a sync reads: tenants by name, or all that joined by consent.
type From struct {
	Tenants   []Text
	Consented bool
}

const consented = "consented"

func (f *From) decode(d *decoder, n *node, key string, _ field) {
	if n.kind == list {
		d.list(n, reflect.ValueOf(&f.Tenants).Elem(), key, field{})
		if len(n.items) == 0 {
			d.fault(n, key, "", "%s is empty", key)
		}
		return
	}
	var name Text
	name.decode(d, n, key, field{})
	if f.Consented = name.Value == consented; !f.Consented && name.Value != "" {
		f.Tenants = []Text{name}
	}
}

// A Filter is a scoping filter: AND inside a group of clauses, OR between the groups. An empty
// one lets everyone pass.
type Filter [][]Clause

// GroupSource says which groups are provisioned: those assigned, all, or those that pass a filter.
type GroupSource struct {
	Kind   string // "assigned" or "all"; "" with a filter
	Filter Filter
}

var groupSources = []string{"assigned", "all"}

func (s *GroupSource) decode(d *decoder, n *node, key string, _ field) {
	if n.kind == list {
		s.Kind = ""
		d.list(n, reflect.ValueOf(&s.Filter).Elem(), key, field{})
		return
	}
	if word, ok := d.text(n, key, field{enum: groupSources}); ok {
		*s = GroupSource{Kind: word}
	}
}

var removals = []string{"deactivate", "delete", "nothing"}

type deleteAfter struct {
	After time.Duration `yaml:"delete_after" required:"true" doc:"Deactivated at once, deleted after this time, such as 30d."`
}

func (o *OnRemove) decode(d *decoder, n *node, key string, _ field) {
	if n.kind == section {
		var a deleteAfter
		d.section(n, reflect.ValueOf(&a).Elem(), key)
		*o = OnRemove{Action: "delete", DeleteAfter: a.After}
		return
	}
	if word, ok := d.text(n, key, field{enum: removals}); ok {
		*o = OnRemove{Action: word}
	}
}

// The long forms of values that also have a short one.
type (
	limitNumbers     Limit
	shareNumbers     Share
	attributeOptions Attribute
	driftOptions     Drift
)

var driftModes = []string{"report", "repair", "hold"}

func (m *DriftMode) decode(d *decoder, n *node, key string, _ field) {
	if word, ok := d.text(n, key, field{enum: driftModes}); ok {
		*m = DriftMode(word)
	}
}

func (o *Drift) decode(d *decoder, n *node, key string, _ field) {
	if n.kind == section {
		d.section(n, reflect.ValueOf((*driftOptions)(o)).Elem(), key)
		return
	}
	o.Mode.decode(d, n, key, field{})
}

func (l *Limit) decode(d *decoder, n *node, key string, _ field) {
	if n.kind == section {
		d.section(n, reflect.ValueOf((*limitNumbers)(l)).Elem(), key)
		return
	}
	if n.text != "off" {
		d.wrong(n, key, "off, or a section such as {count: 25, percent: 10}")
		return
	}
	*l = Limit{}
}

func (s *Share) decode(d *decoder, n *node, key string, _ field) {
	s.SetDefaults()
	switch {
	case n.kind == section:
		d.section(n, reflect.ValueOf((*shareNumbers)(s)).Elem(), key)
	case n.kind == scalar && n.text == "off":
		*s = Share{}
	default:
		s.Percent.decode(d, n, key, field{})
	}
}

func (e *Expiry) decode(d *decoder, n *node, key string, _ field) {
	if n.kind == scalar && n.text == "never" {
		*e = 0
		return
	}
	t, err := ParseDuration(n.text)
	if n.kind != scalar || err != nil || t == 0 {
		d.wrong(n, key, "never, or a time such as 12h, 30d or 2w")
		return
	}
	*e = Expiry(t)
}

func (a *Attribute) decode(d *decoder, n *node, key string, _ field) {
	a.SetDefaults()
	if n.kind == section {
		d.section(n, reflect.ValueOf((*attributeOptions)(a)).Elem(), key)
		return
	}
	if n.kind != scalar {
		d.wrong(n, key, "an expression or a section with expr")
		return
	}
	a.Expr.decode(d, n, key, field{})
}
