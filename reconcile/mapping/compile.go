package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A place is where a term stands.
type place struct {
	top   bool // the outermost call
	flows bool // its value becomes part of the result, rather than deciding something
}

type compiler struct{ expr *Expr }

func (c *compiler) compile(t *term, at place) (node, error) {
	switch t.kind {
	case textTerm:
		return &constant{StringValue(t.text), t}, nil
	case numberTerm:
		return &constant{numberValue(t.text), t}, nil
	case wordTerm:
		switch t.text {
		case "IgnoreAttributeFlow":
			return &constant{Value{typ: IgnoreAttribute}, t}, nil
		case "IgnoreObjectFlow":
			return &constant{Value{typ: IgnoreObject}, t}, nil
		}
		return &constant{StringValue(t.text), t}, nil
	case attributeTerm:
		c.expr.attributes = append(c.expr.attributes, t.text)
		return &attribute{t.text, t}, nil
	case compareTerm:
		at = place{}
		left, err := c.compile(t.args[0], at)
		if err != nil {
			return nil, err
		}
		right, err := c.compile(t.args[1], at)
		if err != nil {
			return nil, err
		}
		return fold(&comparison{op: t.text, left: left, right: right, of: t}, t, left, right), nil
	case joinTerm:
		n := &concat{of: t}
		c.warn(t, "& is a cloud-sync operator; app provisioning in Entra may refuse it")
		for _, arg := range t.args {
			part, err := c.compile(arg, place{flows: at.flows})
			if err != nil {
				return nil, err
			}
			n.parts = append(n.parts, part)
		}
		return fold(n, t, n.parts...), nil
	}
	return c.compileCall(t, at)
}

func (c *compiler) compileCall(t *term, at place) (node, error) {
	fn, err := c.resolve(t)
	if err != nil {
		return nil, err
	}
	if err := checkArity(fn, t); err != nil {
		return nil, err
	}
	switch fn.name {
	case "Now":
		c.expr.clock = true
		c.expr.volatile = c.expr.volatile || at.flows
	case "DefaultDomain":
		c.expr.domain = true
	case "Redact":
		c.expr.redacted = true
	case "SelectUniqueValue":
		if !at.top {
			return nil, &Error{Kind: Nested, Column: t.column, Message: "SelectUniqueValue cannot stand inside another function",
				Hint: "put the other function into each of its arguments"}
		}
	case "IgnoreFlowIfNullOrEmpty":
		if !at.top {
			c.warn(t, "IgnoreFlowIfNullOrEmpty inside another function gives null; it drops the flow only as the outermost function")
		}
	}
	c.expr.volatile = c.expr.volatile || fn.random
	n := &call{fn: fn, of: t, top: at.top, args: make([]node, len(t.args))}
	constants := true
	for i, arg := range t.args {
		if arg == nil {
			continue
		}
		n.args[i], err = c.compile(arg, place{flows: at.flows && fn.flows(i)})
		if err != nil {
			return nil, err
		}
		if _, ok := n.args[i].(*constant); !ok {
			constants = false
		}
	}
	if fn.check != nil {
		if err := fn.check(n); err != nil {
			return nil, err
		}
	}
	if prepared, ok := n.prepared.(*preparedReplace); ok {
		for _, warning := range prepared.warnings {
			c.warn(t, "regular expression: "+warning)
		}
	}
	c.lint(n)
	if !constants || fn.impure || fn.name == "Redact" || fn.name == "IgnoreFlowIfNullOrEmpty" {
		return n, nil
	}
	folded := fold(n, t, n.args...)
	if folded == node(n) && fn.name != "Error" {
		// It fails whatever the source is, which is harmless only in a branch that is never taken.
		_, err := n.eval(&run{fuel: maxFuel, work: maxWork})
		var failure *Error
		if errors.As(err, &failure) {
			c.warn(t, "always fails: "+failure.Message)
		}
	}
	return folded, nil
}

// resolve finds the function, in its own spelling first (open point 1 of the language).
func (c *compiler) resolve(t *term) (*function, error) {
	if fn, ok := functions[t.text]; ok {
		return fn, nil
	}
	for _, name := range functionNames {
		if strings.EqualFold(name, t.text) {
			c.warn(t, fmt.Sprintf("%s is spelled %s in the language, which Entra documents as case-sensitive", t.text, name))
			t.text = name
			return functions[name], nil
		}
	}
	e := &Error{Kind: UnknownFunction, Column: t.column, Message: fmt.Sprintf("there is no function %s", t.text)}
	for name, instead := range connectSync {
		if strings.EqualFold(name, t.text) {
			e.Hint = name + " belongs to Entra Connect sync, another language" + instead
			return nil, e
		}
	}
	if near := nearest(t.text, functionNames); near != "" {
		e.Hint = "did you mean " + near + "?"
	}
	return nil, e
}

func checkArity(fn *function, t *term) error {
	fail := func(message string) error {
		return &Error{Kind: Arity, Column: t.column, Message: message, Hint: "it is " + fn.signature()}
	}
	switch n := len(t.args); {
	case fn.name == "Switch" && n%2 != 0:
		return fail(fmt.Sprintf("Switch takes an even number of arguments, source, default and then pairs; here are %d", n))
	case n < fn.min:
		return fail(fmt.Sprintf("%s takes at least %s; here %s", fn.name, arguments(fn.min), are(n)))
	case fn.max >= 0 && n > fn.max:
		return fail(fmt.Sprintf("%s takes at most %s; here %s", fn.name, arguments(fn.max), are(n)))
	}
	for i := range fn.min {
		if t.args[i] == nil && !fn.omittable(i) {
			return fail(fmt.Sprintf("argument %d of %s, %s, cannot be omitted", i+1, fn.name, fn.params[i]))
		}
	}
	return nil
}

func arguments(n int) string {
	if n == 1 {
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", n)
}

func are(n int) string {
	if n == 1 {
		return "is 1"
	}
	return fmt.Sprintf("are %d", n)
}

// lint warns of what Microsoft's pages call unsupported although it works here.
func (c *compiler) lint(n *call) {
	if len(n.of.args) == 0 || n.of.args[0] == nil {
		return
	}
	first := n.of.args[0]
	switch n.fn.name {
	case "IIF":
		switch {
		case first.kind == callTerm && slices.Contains([]string{"IsNull", "IsNullOrEmpty", "IsPresent", "IsNothing"}, first.text):
			c.warn(first, first.text+" as the condition of IIF works here but is not supported by Entra; Switch([a], [a], \"\", \"other\") is")
		case first.kind == compareTerm && isEmptyText(first.args):
			c.warn(first, `a comparison with null is false, so comparing with "" does not find absent attributes; use Switch([a], [a], "", "other")`)
		}
	case "Switch":
		if first.kind == callTerm && slices.Contains([]string{"IsNull", "IsNullOrEmpty", "IsPresent"}, first.text) {
			c.warn(first, first.text+" as the source of Switch is not recommended by Entra; its value is the text True or False")
		}
	}
}

func isEmptyText(args []*term) bool {
	return slices.ContainsFunc(args, func(t *term) bool { return t.kind == textTerm && t.text == "" })
}

func (c *compiler) warn(t *term, message string) {
	c.expr.warnings = append(c.expr.warnings, fmt.Sprintf("column %d: %s", t.column, message))
}

// fold evaluates a node of constants now. One that fails stays as it is: it may be in a
// branch that is never taken.
func fold(n node, of *term, parts ...node) node {
	for _, part := range parts {
		if _, ok := part.(*constant); part != nil && !ok {
			return n
		}
	}
	v, err := n.eval(&run{fuel: maxFuel, work: maxWork})
	if err != nil {
		return n
	}
	return &constant{v, of}
}
