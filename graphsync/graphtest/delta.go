package graphtest

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

func (d directoryReads) usersDelta() (*Response, *graphError)  { return d.delta(userSchema) }
func (d directoryReads) groupsDelta() (*Response, *graphError) { return d.delta(groupSchema) }

// delta answers a page of a delta round.
func (d directoryReads) delta(s *schema) (*Response, *graphError) {
	t := d.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dir.expire(d.call.now())
	cur, err := d.deltaCursor(s)
	if err != nil {
		return nil, err
	}
	sel, err := t.dir.selection(s, cur.Select, true)
	if err != nil {
		return nil, err
	}
	if sel.members && !d.call.mayAny(readMembers) {
		return nil, insufficient()
	}
	w := walk{c: d.call, t: t, feed: t.dir.feed(s), sel: sel, cur: *cur,
		minimal: prefersMinimal(d.call.r.Header), objects: d.call.s.opts.PageSize, links: d.call.s.opts.MembersPageSize}
	again := *cur
	again.Nonce++

	w.out.WriteString(`{"@odata.context":`)
	w.out.Write(encodeJSON(d.context(s, cur.Select)))
	w.out.WriteString(`,"value":[`)
	w.run()
	w.out.WriteByte(']')
	path, link, option := s.collection+"/delta", `,"@odata.nextLink":`, "$skiptoken"
	w.cur.Nonce = 0
	if w.done() {
		link, option = `,"@odata.deltaLink":`, "$deltatoken"
		w.cur.Since, w.cur.Start, w.cur.At, w.cur.Member = w.feed.version(), w.feed.version(), w.feed.version(), 0
	}
	seen := w.cur.At
	if w.cur.Member > 0 {
		seen++ // the object whose members continue has been seen: a change of it is reported again
	}
	w.feed.sealed = max(w.feed.sealed, seen)
	w.out.WriteString(link)
	w.out.Write(encodeJSON(d.call.link(path, option, w.cur)))
	w.out.WriteByte('}')

	a := &Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {graphContent}}, Body: w.out.Bytes()}
	if w.minimal {
		a.Header.Set("Preference-Applied", "return=minimal")
	}
	a.again = d.call.link(path, "$skiptoken", again)
	return a, nil
}

// deltaCursor reads where the round stands: at its beginning, or where a link says.
func (d directoryReads) deltaCursor(s *schema) (*cursor, *graphError) {
	for _, option := range []string{"$deltatoken", "$skiptoken"} {
		values, ok := d.call.query[option]
		if !ok || option == "$deltatoken" && (values[0] == "latest" || values[0] == "") {
			continue
		}
		// "The token encodes the query options": adding them again is a mistake.
		if err := d.call.options(option); err != nil {
			return nil, err
		}
		return d.call.verify(values[0], s.collection)
	}
	if err := d.call.options("$select", "$filter", "$deltatoken"); err != nil {
		return nil, err
	}
	names, err := d.call.selected()
	if err != nil {
		return nil, err
	}
	ids, err := d.call.filteredIDs()
	if err != nil {
		return nil, err
	}
	cur := &cursor{Tenant: d.call.tenant.ID(), Query: s.collection, Select: names, IDs: ids,
		Start: d.call.tenant.dir.feed(s).version()}
	if d.call.query.Get("$deltatoken") == "latest" {
		cur.Since, cur.At = cur.Start, cur.Start
	}
	return cur, nil
}

func (d directoryReads) context(s *schema, names []string) string {
	context := d.call.base + "/v1.0/$metadata#" + s.collection
	if names != nil {
		context += "(" + strings.Join(names, ",") + ")"
	}
	return context
}

func prefersMinimal(h http.Header) bool {
	for _, value := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.ReplaceAll(preference, " ", ""), "return=minimal") {
				return true
			}
		}
	}
	return false
}

// A walk goes along a feed from where a cursor stands and writes what the client does not
// have. Changes made while a client pages move to the end of the feed, so they are told in
// the same round, perhaps for the second time.
type walk struct {
	c       *call
	t       *Tenant
	feed    *feed
	sel     *selection
	cur     cursor
	minimal bool
	objects int // how many more fit on this page
	links   int
	out     bytes.Buffer
	wrote   bool
}

func (w *walk) done() bool { return int(w.cur.At) >= len(w.feed.entries) }

func (w *walk) run() {
	for !w.done() && w.objects > 0 && w.links > 0 {
		o := w.feed.entries[w.cur.At]
		current := o.last == w.cur.At+1
		if current && (w.cur.IDs == nil || slices.Contains(w.cur.IDs, o.id)) && !w.object(o) {
			return // the page is full in the middle of a group's members
		}
		w.cur.At++
		w.cur.Member = 0
	}
}

// object writes one object, possibly in several entries, and reports whether it is complete.
func (w *walk) object(o *object) bool {
	since := w.cur.Since
	if o.state != live {
		// A first round reports only those removals that happened while it was being read.
		if o.stateAt > w.cur.Start {
			w.removed(o)
		}
		return true
	}
	fresh := o.born > since // new to the client, or restored: everything is told
	if fresh {
		since = 0
	}
	first := 0
	m := o.members
	if m == nil || !w.sel.members || w.c.hides(o) {
		m = &membership{}
	} else {
		first = m.next(max(m.since(since), w.cur.Member), w.cur.Start)
	}
	changed := fresh || w.cur.Member > 0 || first < len(m.entries) || w.sel.manager && o.manager != nil && o.manager.version > since ||
		slices.ContainsFunc(o.props, func(p prop) bool { return p.version > since && w.sel.has(p.index) })
	if !changed {
		return true
	}
	for {
		if w.objects == 0 || w.links == 0 {
			w.cur.Member = first
			return false
		}
		w.begin(o)
		if w.cur.Member == 0 {
			w.properties(o, since, fresh)
		}
		first = w.members(m, first)
		w.out.WriteByte('}')
		w.objects--
		w.cur.Member = first // not 0 again: what follows are parts
		if first >= len(m.entries) {
			return true
		}
	}
}

func (w *walk) begin(o *object) {
	if w.wrote {
		w.out.WriteByte(',')
	}
	w.wrote = true
	w.out.WriteByte('{')
	if o.subtype != "" { // a type that is not the collection's own is told (OData JSON, odata.type)
		w.out.WriteString(`"@odata.type":"` + o.odataType() + `",`)
	}
	w.out.WriteString(`"id":"`)
	w.out.WriteString(o.id.String())
	w.out.WriteByte('"')
}

func (w *walk) removed(o *object) {
	w.begin(o)
	w.out.WriteString(removal(o.state))
	w.out.WriteByte('}')
	w.objects--
}

func removal(state lifecycle) string {
	if state == softDeleted {
		return `,"@removed":{"reason":"changed"}`
	}
	return `,"@removed":{"reason":"deleted"}`
}

func (w *walk) properties(o *object, since uint32, fresh bool) {
	for _, p := range o.props {
		if w.sel.has(p.index) && (fresh || !w.minimal || p.version > since) {
			name, value := w.t.dir.propertyName(o.schema, p.index), p.value
			if w.c.withholds(name) {
				value = "null"
			}
			writeProp(&w.out, name, value)
		}
	}
	if !w.sel.manager || o.manager == nil || o.manager.version <= since {
		return
	}
	id, gone := o.manager.id, ""
	if id.IsZero() {
		if fresh {
			return
		}
		id, gone = o.manager.before, removal(purged)
	}
	w.out.WriteString(`,"manager@delta":[{"@odata.type":"#microsoft.graph.user","id":"` + id.String() + `"` + gone + `}]`)
}

// members writes one members@delta array, from entry first on, and returns where it stopped. A
// large group takes several: the same id recurs on a page and on later ones, as in Graph.
func (w *walk) members(m *membership, first int) int {
	room := min(w.links, max(w.t.s.opts.MembersPageSize/2, 1))
	opened := false
	for ; first < len(m.entries) && room > 0; first = m.next(first+1, w.cur.Start) {
		e := m.entries[first]
		if !opened {
			w.out.WriteString(`,"members@delta":[`)
			opened = true
		} else {
			w.out.WriteByte(',')
		}
		w.out.WriteString(`{"@odata.type":"` + e.member.odataType() + `","id":"` + e.member.id.String() + `"`)
		if e.removed {
			w.out.WriteString(removal(purged))
		}
		w.out.WriteByte('}')
		room--
		w.links--
	}
	if opened {
		w.out.WriteByte(']')
	}
	return first
}

func (d *directory) propertyName(s *schema, index uint16) string {
	if i := int(index) - len(s.properties); i >= 0 {
		return d.extensions[i].name
	}
	return s.properties[index].name
}

func writeProp(out *bytes.Buffer, name, value string) {
	out.WriteString(`,"`)
	out.WriteString(name)
	out.WriteString(`":`)
	out.WriteString(value)
}
