// Package drift tells what differs between what a sync applied and what the application holds, and what the
// configuration says to do about it.
//
// It decides and remembers; it reads no application and sends no request. What differs is kept per account and per
// membership with the time of the compare that found it first, until the two agree again or something is written.
// What was applied stays as it is: a difference that is only reported changes nothing of what a cycle does.
package drift

import "strings"

// A Mode is what is done about a difference.
type Mode string

// The modes, in the words of the configuration.
const (
	Report Mode = "report" // it is reported, and stays
	Repair Mode = "repair" // the next cycle writes again what was applied, as far as guards let it
	Hold   Mode = "hold"   // the same, after an approval
)

// A Policy is what a sync does about differences. The zero value of a field stands for Mode, that of Mode for Report.
type Policy struct {
	Mode       Mode
	Active     Mode            // accounts that are switched off, or on, in the application
	Members    Mode            // memberships
	Missing    Mode            // accounts and groups that are gone
	Attributes map[string]Mode // by attribute path, in lower case
}

// Attribute is what is done about a value.
func (p *Policy) Attribute(path string) Mode { return p.or(p.attribute(path)) }

func (p *Policy) attribute(path string) Mode {
	if p == nil {
		return Report
	}
	return p.Attributes[strings.ToLower(path)]
}

// SwitchedOff is what is done about an account that was switched off in the application: it stays off unless the
// configuration says otherwise of active, whatever it says of the rest.
func (p *Policy) SwitchedOff() Mode {
	if p == nil || p.Active == "" {
		return Report
	}
	return p.Active
}

// SwitchedOn is what is done about an account that the sync switched off and that is on in the application.
func (p *Policy) SwitchedOn() Mode {
	if p == nil {
		return Report
	}
	return p.or(p.Active)
}

// Member is what is done about a membership.
func (p *Policy) Member() Mode {
	if p == nil {
		return Report
	}
	return p.or(p.Members)
}

// Gone is what is done about an account or group that is gone.
func (p *Policy) Gone() Mode {
	if p == nil {
		return Report
	}
	return p.or(p.Missing)
}

func (p *Policy) or(mode Mode) Mode {
	switch {
	case mode != "":
		return mode
	case p == nil || p.Mode == "":
		return Report
	}
	return p.Mode
}
