package reconcile

import (
	"encoding/json"
	"fmt"
	"io"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
)

const planFormat = "entrasync/plan/1"

// planHead is a plan's document without its lists.
type planHead struct {
	Format   string       `json:"format"`
	Sync     string       `json:"sync"`
	Tenant   graphsync.ID `json:"tenant"`
	Cycle    Cycle        `json:"cycle"`
	Complete bool         `json:"complete"`
	Binding  string       `json:"binding"` // what the plan is bound to: these actions under this configuration
	Summary  Summary      `json:"summary"`
}

// A Document is a plan as it was written and reviewed.
type Document struct {
	planHead
	Actions []plan.Action `json:"actions"`
	Held    []plan.Held   `json:"held"`
	// Rejected is what is due but was rejected.
	Rejected []plan.Rejected `json:"rejected"`
	Skipped  []plan.Skipped  `json:"skipped"`
}

// ReadDocuments reads plans as WriteJSON wrote them, one after another.
func ReadDocuments(r io.Reader) ([]Document, error) {
	dec := json.NewDecoder(r)
	dec.UseNumber()
	dec.DisallowUnknownFields()
	var docs []Document
	for {
		var d Document
		err := dec.Decode(&d)
		if err == io.EOF {
			return docs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read plan: %w", err)
		}
		if d.Format != planFormat {
			return nil, fmt.Errorf("read plan: format is %q, want %q", d.Format, planFormat)
		}
		docs = append(docs, d)
	}
}
