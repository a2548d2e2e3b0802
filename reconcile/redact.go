package reconcile

import (
	"encoding/json"
	"fmt"
	"strconv"

	"entrasync/graphsync/redact"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// shortestRedacted is the least length of a redacted value that is blanked out of a target's words: a
// shorter one, such as a digit, is part of any sentence.
const shortestRedacted = 3

// redactorOf blanks the values of redacted attributes out of what a target says.
func redactorOf(m *mapping.Mapping, sent []target.Attribute) redact.Redactor {
	var texts []string
	for _, mapped := range m.Attributes() {
		if !mapped.Redact {
			continue
		}
		for _, attribute := range sent {
			if attribute.Path.Equal(mapped.Path) {
				texts = appendTexts(texts, attribute.Value)
			}
		}
	}
	return redact.New(shortestRedacted, texts...)
}

// appendTexts appends the texts that a value consists of.
func appendTexts(texts []string, value any) []string {
	switch value := value.(type) {
	case string:
		return append(texts, value)
	case float64:
		return append(texts, strconv.FormatFloat(value, 'f', -1, 64))
	case int, int64, json.Number:
		return append(texts, fmt.Sprint(value))
	case []any:
		for _, element := range value {
			texts = appendTexts(texts, element)
		}
	case []string:
		texts = append(texts, value...)
	case map[string]any:
		for _, element := range value {
			texts = appendTexts(texts, element)
		}
	}
	return texts
}

// shownValue is a value for a message, hidden when its attribute is redacted.
func shownValue(m *mapping.Mapping, path target.Path, value string) string {
	for _, mapped := range m.Attributes() {
		if mapped.Redact && mapped.Path.Equal(path) {
			return desired.Redacted
		}
	}
	return strconv.Quote(value)
}
