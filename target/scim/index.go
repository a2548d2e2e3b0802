package scim

import (
	"context"
	"errors"
	"strings"
	"time"

	"entrasync/target"
)

// Bounds on an index: of more resources none is kept, and each search reads them all. One
// that was not dropped, because no cycle ended, is not used for longer than indexLife.
const (
	maxIndexed = 500_000
	indexLife  = 30 * time.Minute
)

var errTooMany = errors.New("too many to index")

// An index finds ids by value where an application cannot. It holds ids and values only.
type index struct {
	lock chan struct{} // held while reading or building, so that all wait for one build
	made time.Time
	ids  map[string]map[string][]string // by path, then value in lower case
}

func newIndex() *index { return &index{lock: make(chan struct{}, 1)} }

func (x *index) forget() {
	x.lock <- struct{}{}
	x.ids = nil
	<-x.lock
}

// lookup returns the ids of those who have the value, or had it when the index was made.
func (x *index) lookup(ctx context.Context, cl *client, kind target.Kind, by target.Path, value string) ([]string, error) {
	select {
	case x.lock <- struct{}{}:
		defer func() { <-x.lock }()
	case <-ctx.Done():
		return nil, &target.Error{Op: opName("find", kind), Code: target.Unavailable, Message: "stopped", Err: ctx.Err()}
	}
	key := strings.ToLower(by.Canonical())
	if time.Since(x.made) > indexLife {
		x.ids = nil
	}
	if x.ids[key] == nil {
		made := time.Now()
		ids, err := build(ctx, cl, kind, by)
		if errors.Is(err, errTooMany) {
			return scan(ctx, cl, kind, by, value)
		}
		if err != nil {
			return nil, err
		}
		if x.ids == nil {
			x.ids, x.made = map[string]map[string][]string{}, made
		}
		x.ids[key] = ids
	}
	return x.ids[key][strings.ToLower(value)], nil
}

func build(ctx context.Context, cl *client, kind target.Kind, by target.Path) (map[string][]string, error) {
	ids := map[string][]string{}
	err := cl.all(ctx, kind, func(page []target.Resource) error {
		for i := range page {
			for _, value := range valuesAt(by, &page[i]) {
				value = strings.ToLower(value)
				ids[value] = append(ids[value], page[i].ID)
			}
		}
		if len(ids) > maxIndexed {
			return errTooMany
		}
		return nil
	})
	return ids, err
}

// valuesAt returns the texts a filter on the path would compare.
func valuesAt(by target.Path, r *target.Resource) []string {
	value := r.Value(by)
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	var texts []string
	for _, v := range list {
		if complex, ok := v.(map[string]any); ok {
			v = member(complex, "value")
		}
		if s := text(v); s != "" {
			texts = append(texts, s)
		}
	}
	return texts
}

func scan(ctx context.Context, cl *client, kind target.Kind, by target.Path, value string) (ids []string, err error) {
	err = cl.all(ctx, kind, func(page []target.Resource) error {
		for i := range page {
			if by.Holds(page[i].Attributes, value) {
				ids = append(ids, page[i].ID)
			}
		}
		return nil
	})
	return ids, err
}
