package graphtest

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A list writes the pages of a collection whose rows have growing numbers.
type list struct {
	c       *call
	path    string
	context string
	count   int // -1 without
	top     int
	rows    int
	body    bytes.Buffer
	full    bool
	last    int
	filter  *comparison
	names   []string
}

// list begins a page: it reads the options, or the $skiptoken that holds them.
func (c *call) list(path, context string, top, limit int, options ...string) (*list, *cursor, *graphError) {
	if token := c.query.Get("$skiptoken"); token != "" {
		// The SDK's page iterator sends the link as it is; nothing may be added.
		if err := c.options("$skiptoken"); err != nil {
			return nil, nil, err
		}
		cur, err := c.verify(token, path)
		if err != nil {
			return nil, nil, err
		}
		return &list{c: c, path: path, context: context, count: -1, top: cur.Top, filter: cur.Filter, names: cur.Select}, cur, nil
	}
	if err := c.options(options...); err != nil {
		return nil, nil, err
	}
	top, err := c.top(top, limit)
	if err != nil {
		return nil, nil, err
	}
	if most := c.s.opts.ListPageSize; most > 0 {
		top = min(top, most)
	}
	names, err := c.selected()
	if err != nil {
		return nil, nil, err
	}
	return &list{c: c, path: path, context: context, count: -1, top: top, names: names}, &cursor{}, nil
}

// row makes room for the row of that number; when the page is full it returns nil.
func (l *list) row(number int) *bytes.Buffer {
	if l.rows == l.top {
		l.full = true
		return nil
	}
	if l.rows++; l.rows > 1 {
		l.body.WriteByte(',')
	}
	l.last = number
	return &l.body
}

func (l *list) response() *Response {
	var out bytes.Buffer
	context := l.c.base + "/v1.0/$metadata#" + l.context
	if l.names != nil {
		context += "(" + strings.Join(l.names, ",") + ")"
	}
	out.WriteString(`{"@odata.context":`)
	out.Write(encodeJSON(context))
	if l.count >= 0 {
		out.WriteString(`,"@odata.count":`)
		out.Write(encodeJSON(l.count))
	}
	if l.full {
		out.WriteString(`,"@odata.nextLink":`)
		out.Write(encodeJSON(l.c.link(l.path, "$skiptoken", cursor{Tenant: l.c.tenant.ID(), Query: l.path,
			At: uint32(l.last), Top: l.top, Filter: l.filter, Select: l.names})))
	}
	out.WriteString(`,"value":[`)
	out.Write(l.body.Bytes())
	out.WriteString(`]}`)
	return bodyResponse(out.Bytes())
}

// listMembers answers the direct members of a group, of any type.
func (d directoryReads) listMembers() (*Response, *graphError) {
	t := d.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	group := t.dir.lookup(groupSchema, d.call.args[0])
	if group == nil {
		return nil, notFound(d.call.args[0])
	}
	l, cur, err := d.call.list("groups/"+group.id.String()+"/members", "directoryObjects", 100, 999, "$select", "$top", "$count")
	if err != nil {
		return nil, err
	}
	counting, err := d.call.counting()
	if err != nil {
		return nil, err
	}
	shapes, err := d.shapes(l.names)
	if err != nil {
		return nil, err
	}
	visible := func(i int) bool {
		e := group.members.entries[i]
		return !e.removed && e.member.state == live && !d.call.hides(group) && group.members.last[e.member] == uint32(i)
	}
	if counting {
		l.count = 0
		for i := range group.members.entries {
			if visible(i) {
				l.count++
			}
		}
	}
	for i := int(cur.At); i < len(group.members.entries); i++ {
		if !visible(i) {
			continue
		}
		out := l.row(i + 1)
		if out == nil {
			break
		}
		shapes.write(out, group.members.entries[i].member)
	}
	return l.response(), nil
}

// shapes renders objects of several types. What the app may not read comes with type and id
// only ("limited information returned for inaccessible member objects").
type shapes struct {
	c    *call
	sels map[*schema]*selection
}

func (d directoryReads) shapes(names []string) (shapes, *graphError) {
	out := shapes{d.call, map[*schema]*selection{}}
	var failure *graphError
	for _, s := range []*schema{userSchema, groupSchema, servicePrincipalSchema} {
		sel, err := d.call.tenant.dir.selection(s, names, false)
		if err != nil {
			// A property need be known to one of the types only.
			failure = err
			continue
		}
		out.sels[s] = sel
	}
	if len(out.sels) == 0 {
		return out, failure
	}
	return out, nil
}

func (s shapes) write(out *bytes.Buffer, o *object) {
	if o.schema == servicePrincipalSchema {
		s.c.tenant.show(s.c.tenant.dir.findPrincipal(o.id.String()))
	}
	sel := s.sels[o.schema]
	readable := map[*schema][]string{userSchema: readUsers, groupSchema: readMembers, servicePrincipalSchema: readApps}
	if sel == nil || !s.c.mayAny(readable[o.schema]) {
		sel = &selection{}
	}
	s.c.tenant.dir.write(out, o, sel, `"@odata.type":"`+o.odataType()+`",`)
}

func (d directoryReads) listUsers() (*Response, *graphError)  { return d.listAll(userSchema) }
func (d directoryReads) listGroups() (*Response, *graphError) { return d.listAll(groupSchema) }

// listAll answers a collection with all that is live, in the order of last change.
func (d directoryReads) listAll(s *schema) (*Response, *graphError) {
	t := d.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	l, cur, err := d.call.list(s.collection, s.collection, 100, 999, "$select", "$top", "$filter", "$count")
	if err != nil {
		return nil, err
	}
	if l.filter == nil {
		if l.filter, err = d.filterOf(s); err != nil {
			return nil, err
		}
	}
	counting, err := d.call.counting()
	if err != nil {
		return nil, err
	}
	sel, err := t.dir.selection(s, l.names, false)
	if err != nil {
		return nil, err
	}
	if counting {
		l.count = 0
	}
	entries, from := t.dir.feed(s).entries, 0
	if !counting {
		from = int(cur.At)
	}
	for at := from; at < len(entries); at++ {
		o := entries[at]
		if o.last != uint32(at+1) || o.state != live || l.filter != nil && !l.filter.holds(o.column(l.filter.Property)) {
			continue
		}
		if counting {
			l.count++
		}
		if at < int(cur.At) || l.full {
			if l.full && !counting {
				break
			}
			continue
		}
		if out := l.row(at + 1); out != nil {
			t.dir.write(out, o, sel, "")
		}
	}
	return l.response(), nil
}

// filterOf reads a $filter over the objects of a collection, nil when there is none.
func (d directoryReads) filterOf(s *schema) (*comparison, *graphError) {
	names := []string{"id", "displayName", "mail", "mailNickname", "userPrincipalName", "givenName", "surname", "department", "employeeId"}
	names = slices.DeleteFunc(names, func(name string) bool { return name != "id" && s.find(name) < 0 })
	return d.call.filter(names, names[1:])
}

// countUsers answers how many users there are, as plain text. It is one of the advanced queries on directory
// objects, which need ConsistencyLevel: eventual.
func (d directoryReads) countUsers() (*Response, *graphError) {
	t := d.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := d.call.options("$filter"); err != nil {
		return nil, err
	}
	if !strings.EqualFold(d.call.r.Header.Get("ConsistencyLevel"), "eventual") {
		return nil, badRequest("$count is not currently supported.")
	}
	filter, err := d.filterOf(userSchema)
	if err != nil {
		return nil, err
	}
	n := 0
	for at, o := range t.dir.feed(userSchema).entries {
		if o.last == uint32(at+1) && o.state == live && (filter == nil || filter.holds(o.column(filter.Property))) {
			n++
		}
	}
	return &Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain"}}, Body: []byte(strconv.Itoa(n))}, nil
}

// column is a string property or the id.
func (o *object) column(name string) string {
	if name == "id" {
		return o.id.String()
	}
	return o.text(name)
}

func (d directoryReads) listDeletedUsers() (*Response, *graphError) { return d.listDeleted(userSchema) }
func (d directoryReads) listDeletedGroups() (*Response, *graphError) {
	return d.listDeleted(groupSchema)
}

func (d directoryReads) listDeleted(s *schema) (*Response, *graphError) {
	t := d.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dir.expire(d.call.now())
	path := "directory/deletedItems/" + strings.TrimPrefix(s.odataType, "#")
	l, cur, err := d.call.list(path, s.collection, 100, 999, "$select", "$top", "$count")
	if err != nil {
		return nil, err
	}
	counting, err := d.call.counting()
	if err != nil {
		return nil, err
	}
	sel, err := t.dir.selection(s, l.names, false)
	if err != nil {
		return nil, err
	}
	if counting {
		l.count = 0
	}
	for _, o := range t.dir.bin {
		if o.schema != s {
			continue
		}
		if counting {
			l.count++
		}
		if number := int(o.stateAt); number > int(cur.At) && !l.full {
			if out := l.row(number); out != nil {
				t.dir.write(out, o, sel, "")
			}
		}
	}
	return l.response(), nil
}
