package compile

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"entrasync/configs"
)

// tenantWord stands for the tenant in the texts of a sync, and in the options of a target.
const tenantWord = "{tenant}"

// expand puts the tenant into a constant. Names and ids are made of characters that mean nothing in
// an expression.
func (c *compiler) expand(text string) string {
	if !strings.Contains(text, tenantWord) {
		return text
	}
	c.perTenant = true
	if c.tenant == "" {
		return text
	}
	return strings.ReplaceAll(text, tenantWord, c.tenant)
}

// expandAll is expand for a list.
func (c *compiler) expandAll(in []configs.Text) []string {
	out := texts(in)
	for i := range out {
		out[i] = c.expand(out[i])
	}
	return out
}

// sourceColumn maps the n-th character of an expanded text to its place in the text as written.
func (c *compiler) sourceColumn(text string, n int) int {
	if c.tenant == "" {
		return n
	}
	shift := 0 // by how many characters the expansion is longer, up to here
	for from := 0; ; {
		at := strings.Index(text[from:], tenantWord)
		if at < 0 {
			return n - shift
		}
		begins := utf8.RuneCountInString(text[:from+at]) + 1
		switch {
		case n-shift < begins:
			return n - shift
		case n-shift < begins+len(c.tenant):
			return begins
		}
		shift += len(c.tenant) - len(tenantWord)
		from += at + len(tenantWord)
	}
}

// expandClause expands the value of a clause. In a pattern the dots of a name are no wildcards.
func (c *compiler) expandClause(clause configs.Clause) string {
	if !strings.Contains(strings.ToUpper(clause.Operator.Value), "REGEX") {
		return c.expand(clause.Value.Value)
	}
	quoted := *c
	quoted.tenant = regexp.QuoteMeta(c.tenant)
	text := quoted.expand(clause.Value.Value)
	c.perTenant = quoted.perTenant
	return text
}
