package undo

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
)

func line(text string) *Line {
	l, err := ParseLine([]byte(text))
	if err != nil || l == nil {
		panic(fmt.Sprint(l, err))
	}
	return l
}

// The net effect of some lines on an account, and what later lines changed of it.
func TestChange(t *testing.T) {
	t.Parallel()
	const (
		head   = `{"event":"action","result":"done","kind":"user","source_id":"11111111-1111-1111-1111-111111111111","key":"ada",`
		create = head + `"op":"create","account":"7","target_id":null,"changes":[{"attribute":"title","old":null,"new":"A"},{"attribute":"active","old":null,"new":true}]}`
		update = head + `"op":"update","target_id":"7","changes":[{"attribute":"title","old":"A","new":"B"}]}`
		again  = head + `"op":"update","target_id":"7","changes":[{"attribute":"title","old":"B","new":"C"},{"attribute":"mail","old":null,"new":"m"}]}`
		back   = head + `"op":"update","target_id":"7","changes":[{"attribute":"title","old":"B","new":"A"}]}`
		off    = head + `"op":"deactivate","target_id":"7","changes":[{"attribute":"active","old":true,"new":false}]}`
		on     = head + `"op":"reactivate","target_id":"7","changes":[{"attribute":"active","old":false,"new":true}]}`
		gone   = head + `"op":"delete","target_id":"7"}`
		adopt  = head + `"op":"adopt","target_id":"7","changes":[{"attribute":"title","old":"X","new":"A"}]}`
		failed = `{"event":"action","result":"failed","kind":"user","source_id":"11111111-1111-1111-1111-111111111111","key":"ada","op":"update","target_id":"7","error":{"code":"target_rejected"}}`
	)
	for name, tt := range map[string]struct {
		done, later []string
		want        string
	}{
		"a value":                      {[]string{update}, nil, `{"key":"ada","account":"7","values":{"title":{"before":"A","after":"B"}}}`},
		"two changes of a value":       {[]string{update, again}, nil, `{"key":"ada","account":"7","values":{"mail":{"before":null,"after":"m"},"title":{"before":"A","after":"C"}}}`},
		"there and back":               {[]string{update, back}, nil, `{"key":"ada","account":"7","values":{"title":{"before":"A","after":"A"}}}`},
		"a later change of one value":  {[]string{again}, []string{back}, `{"key":"ada","account":"7","values":{"mail":{"before":null,"after":"m"},"title":{"before":"B","after":"C","later":true}}}`},
		"created":                      {[]string{create}, nil, `{"key":"ada","account":"7","created":true,"active":{"before":null,"after":true},"values":{"title":{"before":null,"after":"A"}}}`},
		"created and deleted":          {[]string{create, gone}, nil, `{"key":"ada","account":"7","created":true,"deleted":true,"active":{"before":null,"after":true},"values":{"title":{"before":null,"after":"A"}}}`},
		"adopted":                      {[]string{adopt}, nil, `{"key":"ada","account":"7","adopted":true,"values":{"title":{"before":"X","after":"A"}}}`},
		"adopted again":                {[]string{update, adopt}, nil, `{"key":"ada","account":"7","values":{"title":{"before":"A","after":"A"}}}`},
		"switched off and on":          {[]string{off, on}, nil, `{"key":"ada","account":"7","active":{"before":true,"after":true}}`},
		"switched on later":            {[]string{off}, []string{on}, `{"key":"ada","account":"7","active":{"before":true,"after":false,"later":true}}`},
		"deleted later":                {[]string{update}, []string{gone}, `{"key":"ada","account":"7","values":{"title":{"before":"A","after":"B"}},"gone":"its link was broken"}`},
		"failed":                       {[]string{failed}, nil, `{"key":"ada","account":"","failed":"update, target_rejected"}`},
		"failed and done":              {[]string{failed, update}, nil, `{"key":"ada","account":"7","values":{"title":{"before":"A","after":"B"}}}`},
		"a failure later is no change": {[]string{update}, []string{failed}, `{"key":"ada","account":"7","values":{"title":{"before":"A","after":"B"}}}`},
	} {
		var c Change
		for _, text := range tt.done {
			c.Done(line(text))
		}
		for _, text := range tt.later {
			c.Later(line(text))
		}
		if got := string(plan.Encode(&c)); got != tt.want {
			t.Errorf("%s: %s\nwant %s", name, got, tt.want)
		}
	}
}

// However many lines change a value, before is what the first found and after what the last left.
func TestChangeOfManyLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		values := rapid.SliceOfN(rapid.SampledFrom([]any{"a", "b", nil, true}), 2, 8).Draw(rt, "values")
		var c Change
		for i := range values[1:] {
			c.Done(&Line{Result: "done", Op: plan.Update, Account: "7", Changes: []plan.Change{{Attribute: "title", Old: values[i], New: values[i+1]}}})
		}
		if v := c.Values["title"]; v.Before != values[0] || v.After != values[len(values)-1] {
			rt.Errorf("%v: %+v", values, v)
		}
	})
}

// A request chooses by run, time and object; a change of members is about its members too.
func TestChosen(t *testing.T) {
	t.Parallel()
	ada, group := graphsync.ID{1}, graphsync.ID{2}
	l := &Line{Run: "r1", Op: plan.Members, Kind: graphsync.Group, SourceID: group, Add: []graphsync.ID{ada}}
	for _, tt := range []struct {
		r    Request
		want bool
	}{
		{Request{}, true}, {Request{Run: "r1"}, true}, {Request{Run: "r2"}, false},
		{Request{Kind: graphsync.User, Object: ada}, true}, {Request{Kind: graphsync.Group, Object: group}, true},
		{Request{Kind: graphsync.User, Object: graphsync.ID{3}}, false}, {Request{Kind: graphsync.User, Object: group}, false},
	} {
		if got := tt.r.Chosen(l); got != tt.want {
			t.Errorf("%+v: %v", tt.r, got)
		}
	}
}
