package reconcile

import (
	"encoding/json"
	"fmt"
	"io"
)

const planFormat = "entrasync/plan/1"

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
