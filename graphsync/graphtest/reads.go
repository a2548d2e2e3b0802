package graphtest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"entrasync/graphsync"
)

// lookup finds a live object of a type by id, or a user by principal name.
func (d *directory) lookup(s *schema, key string) *object {
	if id, err := graphsync.ParseID(key); err == nil {
		if o := d.objects[id]; o != nil && o.schema == s && o.state == live {
			return o
		}
		return nil
	}
	if s != userSchema {
		return nil
	}
	for at, o := range d.users.entries {
		if o.last == uint32(at+1) && o.state == live && strings.EqualFold(o.text("userPrincipalName"), key) {
			return o
		}
	}
	return nil
}

// write renders an object with the selected properties; what was never set is null, or an empty
// collection, outside of delta.
func (d *directory) write(out *bytes.Buffer, o *object, sel *selection, head string) {
	out.WriteString("{" + head + `"id":"` + o.id.String() + `"`)
	for index, wanted := range sel.wanted {
		if !wanted {
			continue
		}
		value, known := o.get(index)
		name := d.propertyName(o.schema, uint16(index))
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
func (c *call) one(o *object, key, context string) (*Response, *graphError) {
	if o == nil {
		return nil, notFound(key)
	}
	names, err := c.selected()
	if err != nil {
		return nil, err
	}
	sel, err := c.tenant.dir.selection(o.schema, names, false)
	if err != nil {
		return nil, err
	}
	if names != nil {
		context += "(" + strings.Join(names, ",") + ")"
	}
	var out bytes.Buffer
	head := `"@odata.context":` + string(encodeJSON(c.base+"/v1.0/$metadata#"+context+"/$entity")) + ","
	if strings.HasPrefix(context, "directoryObjects") || o.subtype != "" {
		head += `"@odata.type":"` + o.odataType() + `",`
	}
	c.tenant.dir.write(&out, o, sel, head)
	return bodyResponse(out.Bytes()), nil
}

func bodyResponse(body []byte) *Response {
	return &Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {graphContent}}, Body: body}
}

func (d directoryReads) getUser() (*Response, *graphError)  { return d.get(userSchema) }
func (d directoryReads) getGroup() (*Response, *graphError) { return d.get(groupSchema) }

func (d directoryReads) get(s *schema) (*Response, *graphError) {
	if err := d.call.options("$select"); err != nil {
		return nil, err
	}
	d.call.tenant.mu.Lock()
	defer d.call.tenant.mu.Unlock()
	return d.call.one(d.call.tenant.dir.lookup(s, d.call.args[0]), d.call.args[0], s.collection)
}

func (d directoryReads) getManager() (*Response, *graphError) {
	if err := d.call.options("$select"); err != nil {
		return nil, err
	}
	t := d.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	user := t.dir.lookup(userSchema, d.call.args[0])
	if user == nil {
		return nil, notFound(d.call.args[0])
	}
	if user.manager == nil || user.manager.id.IsZero() || t.dir.objects[user.manager.id].state != live {
		return nil, notFound("manager")
	}
	return d.call.one(t.dir.objects[user.manager.id], "manager", "directoryObjects")
}

func (d directoryReads) getDeletedItem() (*Response, *graphError) {
	if err := d.call.options("$select"); err != nil {
		return nil, err
	}
	t := d.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dir.expire(d.call.now())
	id, err := graphsync.ParseID(d.call.args[0])
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "Request_BadRequest", "Invalid object identifier '%s'.", d.call.args[0])
	}
	o := t.dir.objects[id]
	if o == nil || o.state != softDeleted {
		return nil, notFound(d.call.args[0])
	}
	readable := map[*schema][]string{userSchema: readUsers, groupSchema: readMembers}
	if !d.call.mayAny(readable[o.schema]) {
		return nil, insufficient()
	}
	return d.call.one(o, d.call.args[0], "directoryObjects")
}

// getByIDs answers for up to 1,000 ids; those not found are left out
// (directoryObject: getByIds).
func (d directoryReads) getByIDs() (*Response, *graphError) {
	if err := d.call.options("$select"); err != nil {
		return nil, err
	}
	var body struct {
		IDs   []string `json:"ids"`
		Types []string `json:"types"`
	}
	if err := d.call.decode(&body); err != nil {
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
	t := d.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	names, refusal := d.call.selected()
	if refusal != nil {
		return nil, refusal
	}
	shapes, refusal := d.shapes(names)
	if refusal != nil {
		return nil, refusal
	}
	l := &list{c: d.call, context: "directoryObjects", count: -1, top: len(body.IDs), names: names}
	seen := map[graphsync.ID]bool{}
	for _, text := range body.IDs {
		id, err := graphsync.ParseID(text)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "Request_BadRequest", "Invalid GUID:%s", text)
		}
		o := t.dir.objects[id]
		if o == nil || o.state != live || seen[id] || body.Types != nil && !wanted[o.schema] {
			continue
		}
		seen[id] = true
		shapes.write(l.row(0), o)
	}
	return l.response(), nil
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
