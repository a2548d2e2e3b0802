package importschema

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"entrasync/cmd/internal/jsonfile"
)

// The types of Microsoft Graph's synchronizationSchema, as far as they are used. Names are
// decoded in any case, as PowerShell's ConvertTo-Json capitalises them. A value that an
// administrator may have typed is any scalar.
type schema struct {
	Rules       []rule      `json:"synchronizationRules"`
	Directories []directory `json:"directories"`
}

type rule struct {
	Name            string          `json:"name"`
	Source          string          `json:"sourceDirectoryName"`
	Target          string          `json:"targetDirectoryName"`
	Objects         []objectMapping `json:"objectMappings"`
	ContainerFilter *struct {
		Containers []any `json:"includedContainers"`
	} `json:"containerFilter"`
	GroupFilter *struct {
		Groups []any `json:"includedGroups"`
	} `json:"groupFilter"`
}

type objectMapping struct {
	Name       string             `json:"name"`
	Enabled    *bool              `json:"enabled"`
	FlowTypes  any                `json:"flowTypes"` // "Add, Update, Delete"
	Source     string             `json:"sourceObjectName"`
	Target     string             `json:"targetObjectName"`
	Scope      *filter            `json:"scope"`
	Attributes []attributeMapping `json:"attributeMappings"`
}

type attributeMapping struct {
	Target       string  `json:"targetAttributeName"`
	Default      any     `json:"defaultValue"`
	FlowBehavior string  `json:"flowBehavior"`
	FlowType     string  `json:"flowType"`
	Priority     int     `json:"matchingPriority"`
	Source       *source `json:"source"`
}

type source struct {
	Type       string      `json:"type"` // Attribute, Constant or Function
	Name       string      `json:"name"`
	Expression string      `json:"expression"`
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Key   string  `json:"key"`
	Value *source `json:"value"`
}

// none reports a source that is not there; PowerShell writes one with nothing in it.
func (s *source) none() bool {
	return s == nil || s.Type == "" && s.Name == "" && s.Expression == ""
}

type filter struct {
	Groups         []filterGroup `json:"groups"`
	InputGroups    []filterGroup `json:"inputFilterGroups"`
	CategoryGroups []filterGroup `json:"categoryFilterGroups"`
}

type filterGroup struct {
	Name    string   `json:"name"`
	Clauses []clause `json:"clauses"`
}

type clause struct {
	Operator string `json:"operatorName"`
	Source   string `json:"sourceOperandName"`
	Target   *struct {
		Values []any `json:"values"`
	} `json:"targetOperand"`
}

type directory struct {
	Name    string `json:"name"`
	Objects []struct {
		Name       string       `json:"name"`
		Attributes []definition `json:"attributes"`
	} `json:"objects"`
}

// A definition is what the job knows of a target attribute.
type definition struct {
	Name     string `json:"name"`
	Multi    bool   `json:"multivalued"`
	Required bool   `json:"required"`
	Anchor   bool   `json:"anchor"`
}

// definition returns the definition of a target attribute, nil when the schema has none.
func (s *schema) definition(directory, object, attribute string) *definition {
	for _, d := range s.Directories {
		if !strings.EqualFold(d.Name, directory) {
			continue
		}
		for _, o := range d.Objects {
			if !strings.EqualFold(o.Name, object) {
				continue
			}
			for i := range o.Attributes {
				if strings.EqualFold(o.Attributes[i].Name, attribute) {
					return &o.Attributes[i]
				}
			}
		}
	}
	return nil
}

// wrapped is what people also save for the schema: Graph's answer around it, or another answer.
type wrapped struct {
	schema
	Schema *schema `json:"schema"` // of a template, or of a job with $expand=schema
	Error  *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Value      json.RawMessage `json:"value"`
	TemplateID string          `json:"templateId"`
	AppRoles   json.RawMessage `json:"appRoles"`
}

const whereToFind = "save it in the portal under Provisioning, Mappings, Show advanced options, \"Review your schema here\", or from Graph: GET /servicePrincipals/{id}/synchronization/jobs/{jobId}/schema"

// read decodes a schema, unpacking a list of one.
func read(name string, text []byte) (*schema, error) {
	if strings.HasPrefix(strings.TrimLeft(string(text[:min(len(text), 100)]), " \t\r\n"), "[") {
		switch elements := jsonfile.Elements(text); len(elements) {
		case 0: // empty, or no JSON: decoding tells
		case 1:
			var list []json.RawMessage
			if err := jsonfile.Decode(name, text, &list); err != nil {
				return nil, err
			}
			// Blanks keep the places of what is wrong inside.
			text = append([]byte(blanked(text[:elements[0]])), list[0]...)
		default:
			if !json.Valid(text) {
				break
			}
			return nil, fmt.Errorf("%s: a list of %d documents; a second one begins here, give one schema", jsonfile.Place(name, text, elements[1]), len(elements))
		}
	}
	var w wrapped
	if err := jsonfile.Decode(name, text, &w); err != nil {
		if strings.Contains(err.Error(), "which it cannot be") {
			return nil, fmt.Errorf("%w; if PowerShell wrote it, use ConvertTo-Json -Depth 100", err)
		}
		return nil, err
	}
	if w.Schema != nil && w.Rules == nil {
		w.schema = *w.Schema
	}
	if len(w.Rules) > 0 {
		return &w.schema, nil
	}
	return nil, fmt.Errorf("%s: %w", jsonfile.Place(name, text, 0), w.whatElse())
}

// whatElse says what a document without rules is.
func (w *wrapped) whatElse() error {
	switch {
	case w.Error != nil:
		return fmt.Errorf("this is an error that Graph answered with, no schema: %s: %s", oneLine(w.Error.Code), oneLine(w.Error.Message))
	case w.Value != nil:
		return errors.New("this is a list, such as of jobs or templates, no schema: " + whereToFind)
	case w.TemplateID != "":
		return errors.New("this is a provisioning job without its schema; add /schema to its address")
	case w.AppRoles != nil:
		return errors.New("this is an application, no schema: " + whereToFind)
	}
	return errors.New("there are no synchronizationRules, so this is not the schema of a provisioning job: " + whereToFind)
}

func blanked(text []byte) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, string(text))
}

// choose returns the rule to import: the named one, the only one, or the only one that reads
// from Entra.
func choose(name string, text []byte, s *schema, wanted string) (*rule, error) {
	var found []*rule
	for i := range s.Rules {
		r := &s.Rules[i]
		if wanted == "" && len(s.Rules) > 1 && inbound(r) || wanted != "" && !strings.EqualFold(r.Name, wanted) {
			continue
		}
		found = append(found, r)
	}
	switch {
	case len(found) == 1 && inbound(found[0]):
		return nil, fmt.Errorf("%s: rule %s writes from %s into Entra; entrasync reads from Entra only", jsonfile.Name(name), quote(found[0].Name), quote(found[0].Source))
	case len(found) == 1:
		return found[0], nil
	}
	places := jsonfile.Elements(text, "synchronizationRules")
	var rules []string
	for i, r := range s.Rules {
		at := ""
		if len(places) == len(s.Rules) {
			at = " (" + jsonfile.Place(name, text, places[i]) + ")"
		}
		rules = append(rules, fmt.Sprintf("%s from %s to %s%s", quote(r.Name), quote(r.Source), quote(r.Target), at))
	}
	if wanted != "" && len(found) == 0 {
		return nil, fmt.Errorf("%s has no synchronization rule %s; it has %s", jsonfile.Name(name), quote(wanted), strings.Join(rules, ", "))
	}
	return nil, fmt.Errorf("%s has several synchronization rules; name one with --rule: %s", jsonfile.Name(name), strings.Join(rules, ", "))
}

// inbound reports whether a rule writes into Entra from elsewhere, as those of HR applications do.
func inbound(r *rule) bool { return isEntra(r.Target) && !isEntra(r.Source) && r.Source != "" }

func isEntra(directory string) bool {
	lower := strings.ToLower(directory)
	return strings.Contains(lower, "azure active directory") || strings.Contains(lower, "entra id") || lower == "aad"
}
