package main

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"entrasync/configs"
)

// tenantWord stands for the tenant in the texts of a sync, and in the options of a target.
const tenantWord = "{tenant}"

// fill puts the tenant into a constant. Names and ids are made of characters that mean nothing in
// an expression.
func (c *compiler) fill(text string) string {
	if !strings.Contains(text, tenantWord) {
		return text
	}
	c.perName = true
	if c.tenant == "" {
		return text
	}
	return strings.ReplaceAll(text, tenantWord, c.tenant)
}

// fillAll is fill for a list.
func (c *compiler) fillAll(in []configs.Text) []string {
	out := texts(in)
	for i := range out {
		out[i] = c.fill(out[i])
	}
	return out
}

// written leads from the n-th character of a filled text to its place in the text as written.
func (c *compiler) written(text string, n int) int {
	if c.tenant == "" {
		return n
	}
	shift := 0 // by how much what was filled in is longer, up to here
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

// fillClause fills the value of a clause. In a pattern the dots of a name are no wildcards.
func (c *compiler) fillClause(clause configs.Clause) string {
	if !strings.Contains(strings.ToUpper(clause.Operator.Value), "REGEX") {
		return c.fill(clause.Value.Value)
	}
	quoted := *c
	quoted.tenant = regexp.QuoteMeta(c.tenant)
	text := quoted.fill(clause.Value.Value)
	c.perName = quoted.perName
	return text
}
