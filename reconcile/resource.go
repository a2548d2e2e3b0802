package reconcile

import (
	"fmt"
	"strings"

	"entrasync/target"
)

// inactive reports whether an account is switched off, in whatever form the application says it.
func inactive(r *target.Resource) bool {
	return strings.EqualFold(fmt.Sprint(r.Attributes["active"]), "false")
}

func textAttribute(r *target.Resource, name string) string {
	text, _ := r.Attributes[name].(string)
	return text
}

// nameOf is what people call an account.
func nameOf(r *target.Resource) string {
	for _, name := range []string{"userName", "displayName"} {
		if text, ok := r.Attributes[name].(string); ok && text != "" {
			return text
		}
	}
	return r.ID
}
