package importschema

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"entrasync/reconcile/mapping"
)

// maxDepth bounds the parsed trees that are followed, as the language bounds nesting.
const maxDepth = 100

// text returns a source as an expression: its text form, or, where there is none or it does
// not compile, what its parsed tree says. A constant that no expression could be taken for
// stays as it is.
func (s *source) text() (string, error) {
	if strings.EqualFold(s.Type, "Constant") {
		return constantText(s.constant()), nil
	}
	written := strings.TrimSpace(s.Expression)
	if written != "" {
		_, err := mapping.Compile(written)
		if err == nil {
			return written, nil
		}
		if parsed, perr := s.tree(0); perr == nil && s.Type != "" {
			if _, perr := mapping.Compile(parsed); perr == nil {
				return parsed, nil
			}
		}
		return written, explained(err)
	}
	parsed, err := s.tree(0)
	if err != nil {
		return "", err
	}
	if _, err := mapping.Compile(parsed); err != nil {
		return parsed, explained(err)
	}
	return parsed, nil
}

func explained(err error) error {
	var e *mapping.Error
	if errors.As(err, &e) && e.Hint != "" {
		return fmt.Errorf("%s (%s)", e.Message, e.Hint)
	}
	if e != nil {
		return errors.New(e.Message)
	}
	return err
}

// constant is the value of a constant; its name has it bare, its expression quoted.
func (s *source) constant() string {
	if s.Name != "" || s.Expression == "" {
		return s.Name
	}
	if e, err := mapping.Compile(s.Expression); err == nil {
		if v, ok := e.Constant(); ok {
			return v.Text()
		}
	}
	return s.Expression
}

// plain texts need no quotes: nothing in them begins an expression.
var plain = regexp.MustCompile(`^[\pL\pN]([\pL\pN ._@:/+-]*[\pL\pN._@:/+-])?$`)

func constantText(value string) string {
	if plain.MatchString(value) {
		return value
	}
	return quoted(value)
}

// quoted returns a string constant of the language.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// positions are the parameter keys of functions that allow arguments to be omitted in between:
// what is omitted is simply absent from the tree. The last key may repeat.
var positions = map[string][]string{
	"switch":         {"source", "defaultvalue", "switchvalue"},
	"formatdatetime": {"source", "datetimestyles", "inputformat", "outputformat"},
	"replace":        {"source", "find", "regularexpression", "regularexpressiongroupname", "replacement", "replacementpropertyname", "template"},
}

var word = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// tree writes a parsed tree as an expression.
func (s *source) tree(depth int) (string, error) {
	if depth > maxDepth {
		return "", fmt.Errorf("its parsed form is nested more than %d deep", maxDepth)
	}
	switch strings.ToLower(s.Type) {
	case "attribute":
		if s.Name == "" {
			return "", errors.New("its parsed form names no attribute")
		}
		return "[" + s.Name + "]", nil
	case "constant":
		if s.Expression == s.Name && word.MatchString(s.Name) {
			return s.Name, nil // a word of the language, such as IgnoreAttributeFlow
		}
		return quoted(s.constant()), nil
	case "function":
	default:
		return "", fmt.Errorf("a source of type %s is not known", quote(s.Type))
	}
	args := make([]string, 0, len(s.Parameters))
	var keys []string
	for _, p := range s.Parameters {
		arg := ""
		if !p.Value.none() {
			var err error
			if arg, err = p.Value.tree(depth + 1); err != nil {
				return "", err
			}
		}
		args, keys = append(args, arg), append(keys, strings.ToLower(p.Key))
	}
	switch {
	case word.MatchString(s.Name):
		return s.Name + "(" + strings.Join(placed(positions[strings.ToLower(s.Name)], keys, args), ", ") + ")", nil
	case len(args) == 2 && strings.Trim(s.Name, "=<>&") == "" && s.Name != "":
		return args[0] + " " + s.Name + " " + args[1], nil
	}
	return "", fmt.Errorf("its parsed form names no function but %s", quote(s.Name))
}

// placed leaves an empty argument for every position that has no key. Arguments stay as they
// are where a key is not known.
func placed(positions, keys, args []string) []string {
	if positions == nil {
		return args
	}
	var out []string
	at := 0
	for i, key := range keys {
		last := len(positions) - 1
		if i > 0 && key == keys[i-1] && key == positions[last] {
			out = append(out, args[i])
			continue
		}
		for at <= last && positions[at] != key {
			out = append(out, "")
			at++
		}
		if at > last {
			return args
		}
		out = append(out, args[i])
		at++
	}
	return out
}
