package configs

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// What YAML's parser says, and what people can do about it. The first that fits counts.
var remedies = []struct{ says, message, hint string }{
	{"cannot start any token", "a value begins with a character that YAML keeps for itself (@, ` or %)", "put the value in quotes"},
	{"mapping values are not allowed", "a colon stands where no key can be", `check the indentation, or put a value that contains ": " in quotes`},
	{"could not find expected ':'", "this line is neither a key with a colon nor part of a value", "check the line and the one above it"},
	{"did not find expected ',' or", "a list or section in brackets is not closed, or text follows it", `put an expression such as "[mail]" in quotes`},
	{"did not find expected key", "the indentation does not fit the lines above, or text follows a closing quote or bracket", "put the whole value in quotes, or align the key with its neighbours"},
	{"did not find expected '-' indicator", "the indentation does not fit the list above", "align the line with its neighbours"},
	{"did not find expected node content", "a bracket or comma stands where a value should be", "put the value in quotes"},
	{"unexpected end of stream", "a quote is opened and never closed", ""},
	{"did not find expected alphabetic", "* or & begins an alias or anchor in YAML", "put the value in quotes"},
	{"unknown anchor", "* begins an alias in YAML, and there is no anchor of this name", "put the value in quotes"},
	{"unknown escape character", `inside "…" a backslash begins an escape, and this is none`, "use '…' or double the backslash"},
	{"control characters", "the file has a control character in it", "remove it"},
}

// explain makes a fault of what YAML's parser says, which names a line at most.
func explain(file string, data []byte, err error) Fault {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	if strings.HasPrefix(text, "did not find expected") && !strings.Contains(text, "alphabetic") {
		line++ // the grammar counts lines from 0, the scanner from 1
	}
	lines := strings.Split(string(data), "\n")
	line = max(1, min(line, len(lines)))
	for n := max(line-1, 1); n <= min(line+1, len(lines)); n++ {
		if tab := strings.IndexByte(indent(lines[n-1]), '\t'); tab >= 0 {
			return Fault{Position: Position{file, n, tab + 1},
				Message: "a tab indents this line, which YAML does not allow", Hint: "use spaces"}
		}
	}
	switch {
	case strings.Contains(text, "did not find expected key"):
		line = suspect(lines, line)
	case strings.Contains(text, "unknown anchor"):
		if name := strings.Split(text, "'"); len(name) == 3 {
			line = 1 + max(0, slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "*"+name[1]) }))
		}
	}
	f := Fault{Position: Position{file, line, len(indent(lines[line-1])) + 1}, Message: "this is not YAML: " + text}
	for _, r := range remedies {
		if strings.Contains(text, r.says) {
			f.Message, f.Hint = r.message, r.hint
			break
		}
	}
	return f
}

func indent(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }

var afterQuote = regexp.MustCompile(`:\s+("[^"\\]*"|'[^']*')\s*[^\s#,}\]]`)

// suspect returns the first line from a section's beginning on that is indented like none of
// those around it or has text after a closing quote: the parser names only the beginning.
func suspect(lines []string, from int) int {
	levels := []int{len(indent(lines[from-1]))}
	for n := from; n <= len(lines); n++ {
		line := lines[n-1]
		depth := len(indent(line))
		if content := line[depth:]; content == "" || content[0] == '#' {
			continue
		}
		if afterQuote.MatchString(line) {
			return n
		}
		for len(levels) > 1 && depth < levels[len(levels)-1] {
			levels = levels[:len(levels)-1]
		}
		switch top := levels[len(levels)-1]; {
		case depth > top && n > from && fresh(lines[:n-1]):
			levels = append(levels, depth)
		case depth != top:
			return n
		}
	}
	return from
}

// fresh reports whether the last line of text opens a section, so that a deeper one may follow.
func fresh(before []string) bool {
	for _, line := range slices.Backward(before) {
		if content := strings.TrimSpace(line); content != "" && content[0] != '#' {
			return strings.HasSuffix(content, ":") || strings.HasPrefix(content, "- ") || strings.HasSuffix(content, "|") || strings.HasSuffix(content, ">")
		}
	}
	return false
}
