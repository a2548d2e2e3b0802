package mapping

import (
	"strings"
)

// The parameters of Replace.
const (
	replaceSource = iota
	replaceOld
	replacePattern
	replaceGroup
	replaceNew
	replaceOther
	replaceTemplate
)

// preparedReplace is what is known of a Replace when it is compiled.
type preparedReplace struct {
	use         replaceUse
	pattern     *pattern    // nil: not constant
	replacement replacement // of a constant pattern and value
	ready       bool        // replacement was prepared
	warnings    []string
}

type replaceUse uint8

const (
	literalUse  replaceUse = iota // oldValue by replacementValue
	templateUse                   // oldValue in template by source
	patternUse                    // matches by replacementValue
	groupUse                      // a group's matches by replacementValue
	otherUse                      // a group's match in another attribute
)

// replaceUses are the documented sets of arguments. A blank value "" is given, an omitted
// argument is not.
var replaceUses = map[[6]bool]replaceUse{
	{true, false, false, true, false, false}: literalUse,
	{true, false, false, false, false, true}: templateUse,
	{false, true, false, true, false, false}: patternUse,
	{false, true, true, true, false, false}:  groupUse,
	{false, true, true, false, true, false}:  otherUse,
}

func checkReplace(n *call) error {
	var given [6]bool
	for i := range given {
		given[i] = n.has(i + 1)
	}
	use, ok := replaceUses[given]
	if !ok {
		var names []string
		for i, is := range given {
			if is {
				names = append(names, strings.TrimSuffix(n.fn.params[i+1], "?"))
			}
		}
		with := "nothing but source"
		if len(names) > 0 {
			with = strings.Join(names, ", ")
		}
		return &Error{Kind: Arity, Column: n.of.column, Message: "Replace has no meaning with " + with,
			Hint: "give oldValue and replacementValue, oldValue and template, or regexPattern with replacementValue, regexGroupName or both"}
	}
	prepared := &preparedReplace{use: use}
	n.prepared = prepared
	text, ok := n.constantText(replacePattern)
	if !ok {
		return nil
	}
	var err error
	if prepared.pattern, prepared.warnings, err = compilePattern(text); err != nil {
		return n.fail(Regex, "%v", err)
	}
	if group, ok := n.constantText(replaceGroup); ok {
		if _, ok := prepared.pattern.groups[group]; !ok {
			return n.fail(Regex, "the pattern has no group %.60q", group)
		}
	}
	if value, ok := n.constantText(replaceNew); ok && use == patternUse {
		prepared.replacement, prepared.ready = prepared.pattern.compileReplacement(value), true
	}
	return nil
}

func evalReplace(r *run, n *call) (Value, error) {
	prepared := n.prepared.(*preparedReplace)
	v, err := n.arg(r, replaceSource)
	if err != nil {
		return Value{}, err
	}
	if prepared.use == otherUse {
		if !v.IsEmpty() {
			return v, nil
		}
		return n.fromOther(r, prepared)
	}
	if v.typ == Null {
		return Value{}, nil
	}
	switch prepared.use {
	case literalUse:
		old, _, err := n.str(r, replaceOld)
		if err != nil {
			return Value{}, err
		}
		by, _, err := n.str(r, replaceNew)
		if err != nil {
			return Value{}, err
		}
		if v.typ == String {
			return n.replaceAll(r, v.text, old, by)
		}
		return n.each(r, v, func(s string) (Value, error) { return n.replaceAll(r, s, old, by) })
	case templateUse:
		old, _, err := n.str(r, replaceOld)
		if err != nil {
			return Value{}, err
		}
		template, ok, err := n.str(r, replaceTemplate)
		if err != nil || !ok {
			return Value{}, err
		}
		return n.each(r, v, func(s string) (Value, error) { return n.replaceAll(r, template, old, s) })
	}
	p, err := n.pattern(r, prepared)
	if err != nil || p == nil {
		return v, err
	}
	by, _, err := n.str(r, replaceNew)
	if err != nil {
		return Value{}, err
	}
	group := 0
	parts := prepared.replacement
	if prepared.use == groupUse {
		if group, err = n.group(r, p); err != nil {
			return Value{}, err
		}
		parts = replacement{{text: by, group: -1}}
	} else if !prepared.ready {
		if err := r.spend(64*strings.Count(by, "$"), n.of.column); err != nil {
			return Value{}, err
		}
		parts = p.compileReplacement(by)
	}
	return n.each(r, v, func(s string) (Value, error) { return n.replaceMatches(r, p, s, group, parts) })
}

// replaceAll is the literal replacement; an empty old value leaves the text as it is.
func (n *call) replaceAll(r *run, s, old, by string) (Value, error) {
	if old == "" {
		return StringValue(s), nil
	}
	if more := len(by) - len(old); more > 0 {
		if err := r.spend(strings.Count(s, old)*more, n.of.column); err != nil {
			return Value{}, err
		}
	}
	return StringValue(strings.ReplaceAll(s, old, by)), nil
}

// pattern returns the constant pattern, or compiles the one of this object. nil: it is null.
func (n *call) pattern(r *run, prepared *preparedReplace) (*pattern, error) {
	if prepared.pattern != nil {
		return prepared.pattern, nil
	}
	text, ok, err := n.str(r, replacePattern)
	if err != nil || !ok {
		return nil, err
	}
	if r.work -= 1000 * (len(text) + 10); r.work < 0 || len(text) > maxCharacters {
		return nil, n.fail(Range, "the patterns are too long")
	}
	p, _, err := compilePattern(text)
	if err != nil {
		if r.mask {
			return nil, n.fail(Regex, "the pattern cannot be run")
		}
		return nil, n.fail(Regex, "%v", err)
	}
	r.work -= 100 * p.size
	return p, nil
}

func (n *call) group(r *run, p *pattern) (int, error) {
	name, _, err := n.str(r, replaceGroup)
	if err != nil {
		return 0, err
	}
	group, ok := p.groups[name]
	if !ok {
		return 0, n.fail(Regex, "the pattern has no group %s", r.quote(name))
	}
	return group, nil
}

// replaceMatches replaces a group (0: all) of every match.
func (n *call) replaceMatches(r *run, p *pattern, s string, group int, parts replacement) (Value, error) {
	var out []byte
	last, spent, changed := 0, 0, false
	var failure error
	err := p.matches(r, n, s, func(m []int) bool {
		from, to := m[2*group], m[2*group+1]
		if from < last { // the group took no part
			return true
		}
		changed = true
		out = append(out, s[last:from]...)
		out = parts.appendTo(out, s, m)
		last = to
		if spent += 8; len(out)+spent > r.fuel {
			failure = r.spend(len(out)+spent, n.of.column)
			return false
		}
		return true
	})
	if err == nil {
		err = failure
	}
	if err != nil || !changed {
		return StringValue(s), err
	}
	return StringValue(string(append(out, s[last:]...))), nil
}

// fromOther takes the group's match from the other attribute; null without one.
func (n *call) fromOther(r *run, prepared *preparedReplace) (Value, error) {
	other, err := n.arg(r, replaceOther)
	if err != nil || other.typ == Null {
		return Value{}, err
	}
	p, err := n.pattern(r, prepared)
	if err != nil || p == nil {
		return Value{}, err
	}
	group, err := n.group(r, p)
	if err != nil {
		return Value{}, err
	}
	return n.each(r, other, func(s string) (Value, error) {
		got := Value{}
		err := p.matches(r, n, s, func(m []int) bool {
			if m[2*group] >= 0 {
				got = StringValue(s[m[2*group]:m[2*group+1]])
			}
			return false
		})
		return got, err
	})
}
