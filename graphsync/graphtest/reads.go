package graphtest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
)

// lookup finds a live object of a type by id, or a user by principal name.
func (t *Tenant) lookup(s *schema, key string) *object {
	if id, err := graphsync.ParseID(key); err == nil {
		if o := t.objects[id]; o != nil && o.schema == s && o.state == live {
			return o
		}
		return nil
	}
	if s != userSchema {
		return nil
	}
	for at, o := range t.users.entries {
		if o.last == uint32(at+1) && o.state == live && strings.EqualFold(o.text("userPrincipalName"), key) {
			return o
		}
	}
	return nil
}

// write renders an object with the selected properties; what was never set is null, or an empty
// collection, outside of delta.
func (t *Tenant) write(out *bytes.Buffer, o *object, sel *selection, head string) {
	out.WriteString("{" + head + `"id":"` + o.id.String() + `"`)
	for index, wanted := range sel.wanted {
		if !wanted {
			continue
		}
		value, known := o.get(index)
		name := t.propertyName(o.schema, uint16(index))
		extended := index >= len(o.schema.properties)
		switch {
		case name == "deletedDateTime" && o.state == softDeleted:
			value = `"` + time.Unix(o.deletedAt, 0).UTC().Format(time.RFC3339) + `"`
		case name == "userPrincipalName" && o.state == softDeleted && known:
			// In deletedItems the name is freed by putting the id before it.
			value = `"` + strings.ReplaceAll(o.id.String(), "-", "") + strings.TrimPrefix(value, `"`)
		case known:
		case extended:
			continue
		case o.schema.properties[index].of == texts || o.schema.properties[index].of == complexTypes:
			value = "[]"
		default:
			value = "null"
		}
		writeProp(out, name, value)
	}
	out.WriteByte('}')
}

// one answers with a single object.
func (c *call) one(o *object, key, context string) (*Answer, *graphError) {
	if o == nil {
		return nil, notFound(key)
	}
	names, err := c.selected()
	if err != nil {
		return nil, err
	}
	sel, err := c.tenant.selection(o.schema, names, false)
	if err != nil {
		return nil, err
	}
	if names != nil {
		context += "(" + strings.Join(names, ",") + ")"
	}
	var out bytes.Buffer
	head := `"@odata.context":` + string(encodeJSON(c.base+"/v1.0/$metadata#"+context+"/$entity")) + ","
	if strings.HasPrefix(context, "directoryObjects") {
		head += `"@odata.type":"` + o.schema.odataType + `",`
	}
	c.tenant.write(&out, o, sel, head)
	return bodyAnswer(out.Bytes()), nil
}

func bodyAnswer(body []byte) *Answer {
	return &Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {graphContent}}, Body: body}
}

func (c *call) getUser() (*Answer, *graphError)  { return c.get(userSchema) }
func (c *call) getGroup() (*Answer, *graphError) { return c.get(groupSchema) }

func (c *call) get(s *schema) (*Answer, *graphError) {
	if err := c.options("$select"); err != nil {
		return nil, err
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	return c.one(c.tenant.lookup(s, c.args[0]), c.args[0], s.collection)
}

func (c *call) getManager() (*Answer, *graphError) {
	if err := c.options("$select"); err != nil {
		return nil, err
	}
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	user := t.lookup(userSchema, c.args[0])
	if user == nil {
		return nil, notFound(c.args[0])
	}
	if user.manager == nil || user.manager.id.IsZero() || t.objects[user.manager.id].state != live {
		return nil, notFound("manager")
	}
	return c.one(t.objects[user.manager.id], "manager", "directoryObjects")
}

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

func (l *list) answer() *Answer {
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
		out.Write(encodeJSON(l.c.link(l.path, "$skiptoken", cursor{Tenant: l.c.tenant.id, Query: l.path,
			At: uint32(l.last), Top: l.top, Filter: l.filter, Select: l.names})))
	}
	out.WriteString(`,"value":[`)
	out.Write(l.body.Bytes())
	out.WriteString(`]}`)
	return bodyAnswer(out.Bytes())
}

// listMembers answers the direct members of a group, of any type.
func (c *call) listMembers() (*Answer, *graphError) {
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	group := t.lookup(groupSchema, c.args[0])
	if group == nil {
		return nil, notFound(c.args[0])
	}
	l, cur, err := c.list("groups/"+group.id.String()+"/members", "directoryObjects", 100, 999, "$select", "$top", "$count")
	if err != nil {
		return nil, err
	}
	counting, err := c.counting()
	if err != nil {
		return nil, err
	}
	shapes, err := c.shapes(l.names)
	if err != nil {
		return nil, err
	}
	visible := func(i int) bool {
		e := group.members.entries[i]
		return !e.removed && e.member.state == live && group.members.last[e.member] == uint32(i)
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
	return l.answer(), nil
}

// shapes renders objects of several types. What the app may not read comes with type and id
// only ("limited information returned for inaccessible member objects").
type shapes struct {
	c    *call
	sels map[*schema]*selection
}

func (c *call) shapes(names []string) (shapes, *graphError) {
	out := shapes{c, map[*schema]*selection{}}
	var failure *graphError
	for _, s := range []*schema{userSchema, groupSchema, servicePrincipalSchema} {
		sel, err := c.tenant.selection(s, names, false)
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
	sel := s.sels[o.schema]
	readable := map[*schema][]string{userSchema: readUsers, groupSchema: readMembers, servicePrincipalSchema: readApps}
	if sel == nil || !s.c.mayAny(readable[o.schema]) {
		sel = &selection{}
	}
	s.c.tenant.write(out, o, sel, `"@odata.type":"`+o.schema.odataType+`",`)
}

func (c *call) listUsers() (*Answer, *graphError)  { return c.listAll(userSchema) }
func (c *call) listGroups() (*Answer, *graphError) { return c.listAll(groupSchema) }

// listAll answers a collection with all that is live, in the order of last change.
func (c *call) listAll(s *schema) (*Answer, *graphError) {
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	l, cur, err := c.list(s.collection, s.collection, 100, 999, "$select", "$top", "$filter", "$count")
	if err != nil {
		return nil, err
	}
	if l.filter == nil {
		names := []string{"id", "displayName", "mail", "mailNickname", "userPrincipalName", "givenName", "surname", "department", "employeeId"}
		names = slices.DeleteFunc(names, func(name string) bool { return name != "id" && s.find(name) < 0 })
		if l.filter, err = c.filter(names, names[1:]); err != nil {
			return nil, err
		}
	}
	counting, err := c.counting()
	if err != nil {
		return nil, err
	}
	sel, err := t.selection(s, l.names, false)
	if err != nil {
		return nil, err
	}
	if counting {
		l.count = 0
	}
	for at, o := range t.feed(s).entries {
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
			t.write(out, o, sel, "")
		}
	}
	return l.answer(), nil
}

// column is a string property or the id.
func (o *object) column(name string) string {
	if name == "id" {
		return o.id.String()
	}
	return o.text(name)
}

func (c *call) listDeletedUsers() (*Answer, *graphError)  { return c.listDeleted(userSchema) }
func (c *call) listDeletedGroups() (*Answer, *graphError) { return c.listDeleted(groupSchema) }

func (c *call) listDeleted(s *schema) (*Answer, *graphError) {
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(c.now())
	path := "directory/deletedItems/" + strings.TrimPrefix(s.odataType, "#")
	l, cur, err := c.list(path, s.collection, 100, 999, "$select", "$top", "$count")
	if err != nil {
		return nil, err
	}
	counting, err := c.counting()
	if err != nil {
		return nil, err
	}
	sel, err := t.selection(s, l.names, false)
	if err != nil {
		return nil, err
	}
	if counting {
		l.count = 0
	}
	for _, o := range t.bin {
		if o.schema != s {
			continue
		}
		if counting {
			l.count++
		}
		if number := int(o.stateAt); number > int(cur.At) && !l.full {
			if out := l.row(number); out != nil {
				t.write(out, o, sel, "")
			}
		}
	}
	return l.answer(), nil
}

func (c *call) getDeletedItem() (*Answer, *graphError) {
	if err := c.options("$select"); err != nil {
		return nil, err
	}
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(c.now())
	id, err := graphsync.ParseID(c.args[0])
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "Request_BadRequest", "Invalid object identifier '%s'.", c.args[0])
	}
	o := t.objects[id]
	if o == nil || o.state != softDeleted {
		return nil, notFound(c.args[0])
	}
	readable := map[*schema][]string{userSchema: readUsers, groupSchema: readMembers}
	if !c.mayAny(readable[o.schema]) {
		return nil, insufficient()
	}
	return c.one(o, c.args[0], "directoryObjects")
}

// getByIDs answers for up to 1,000 ids; those not found are left out
// (directoryObject: getByIds).
func (c *call) getByIDs() (*Answer, *graphError) {
	if err := c.options("$select"); err != nil {
		return nil, err
	}
	var body struct {
		IDs   []string `json:"ids"`
		Types []string `json:"types"`
	}
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	if len(body.IDs) == 0 || len(body.IDs) > 1000 {
		return nil, refuse(http.StatusBadRequest, "Request_BadRequest", "The number of ids must be between 1 and 1000.")
	}
	types := map[string]*schema{"user": userSchema, "group": groupSchema, "serviceprincipal": servicePrincipalSchema}
	wanted := map[*schema]bool{}
	for _, name := range body.Types {
		name = strings.ToLower(strings.TrimPrefix(name, "microsoft.graph."))
		if s := types[name]; s != nil {
			wanted[s] = true
		} else if name != "directoryobject" && name != "device" && name != "orgcontact" {
			return nil, refuse(http.StatusBadRequest, "Request_BadRequest", "Invalid value specified for property 'types' of resource 'DirectoryObject'.")
		} else if name == "directoryobject" {
			wanted = map[*schema]bool{userSchema: true, groupSchema: true, servicePrincipalSchema: true}
		}
	}
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	names, refusal := c.selected()
	if refusal != nil {
		return nil, refusal
	}
	shapes, refusal := c.shapes(names)
	if refusal != nil {
		return nil, refusal
	}
	l := &list{c: c, context: "directoryObjects", count: -1, top: len(body.IDs), names: names}
	seen := map[graphsync.ID]bool{}
	for _, text := range body.IDs {
		id, err := graphsync.ParseID(text)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "Request_BadRequest", "Invalid GUID:%s", text)
		}
		o := t.objects[id]
		if o == nil || o.state != live || seen[id] || body.Types != nil && !wanted[o.schema] {
			continue
		}
		seen[id] = true
		shapes.write(l.row(0), o)
	}
	return l.answer(), nil
}

// decode reads a JSON request body, which the SDK sends compressed.
func (c *call) decode(into any) *graphError {
	body := io.Reader(c.r.Body)
	if strings.EqualFold(c.r.Header.Get("Content-Encoding"), "gzip") {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return badRequest("Unable to read the compressed request payload.")
		}
		body = unzipped
	}
	decoder := json.NewDecoder(io.LimitReader(body, 4<<20))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return badRequest("Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	return nil
}
