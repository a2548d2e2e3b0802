package scimtest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elimity-com/scim"
	scimerrors "github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"
	"github.com/google/uuid"
)

// Elimity starts the Go library github.com/elimity-com/scim in process.
func Elimity(tb testing.TB, opts Options) *Server {
	tb.Helper()
	opts = withDefaults(opts)
	app := &application{opts: opts}
	app.users = app.collection("User", "/Users", schema.CoreUserSchema(), "userName", schema.ExtensionEnterpriseUser())
	groupName := "displayName"
	if opts.SameGroupNames {
		groupName = ""
	}
	app.groups = app.collection("Group", "/Groups", schema.CoreGroupSchema(), groupName)

	server, err := scim.NewServer(&scim.ServerArgs{
		ServiceProviderConfig: &scim.ServiceProviderConfig{
			MaxResults: opts.PageSize, SupportFiltering: true, SupportPatch: true,
			AuthenticationSchemes: []scim.AuthenticationScheme{{
				Type: scim.AuthenticationTypeOauthBearerToken, Name: "OAuth Bearer Token", Primary: true,
			}},
		},
		ResourceTypes: []scim.ResourceType{app.users.resourceType, app.groups.resourceType},
	})
	if err != nil {
		tb.Fatalf("start the elimity SCIM server: %v", err)
	}
	return start(tb, opts, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+opts.Token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		server.ServeHTTP(w, r)
	}))
}

// An application keeps the records of one Elimity server.
type application struct {
	opts Options

	mu            sync.Mutex // guards the collections' records
	users, groups *collection
}

// A collection is the handler of one resource type.
type collection struct {
	app          *application
	unique       string // attribute of which no two records have the same value, in any case
	resourceType scim.ResourceType
	schemas      map[string]schema.Schema // by URN
	records      []*record                // in order of creation
}

type record struct {
	id                string
	attributes        map[string]any
	created, modified time.Time
	version           int
}

func (a *application) collection(name, endpoint string, core schema.Schema, unique string, extensions ...schema.Schema) *collection {
	for _, e := range a.opts.Extensions {
		if e.Resource == name {
			extensions = append(extensions, declare(e))
		}
	}
	c := &collection{app: a, unique: unique, schemas: map[string]schema.Schema{core.ID: core}}
	c.resourceType = scim.ResourceType{
		ID: optional.NewString(name), Name: name, Endpoint: endpoint, Schema: core, Handler: c,
	}
	for _, e := range extensions {
		c.schemas[e.ID] = e
		c.resourceType.SchemaExtensions = append(c.resourceType.SchemaExtensions, scim.SchemaExtension{Schema: e})
	}
	return c
}

func declare(e Extension) schema.Schema {
	s := schema.Schema{ID: e.URN, Name: optional.NewString(e.URN[strings.LastIndex(e.URN, ":")+1:])}
	for _, a := range e.Attributes {
		params := schema.SimpleStringParams(schema.StringParams{Name: a.Name, MultiValued: a.MultiValued})
		if a.Type == "boolean" {
			params = schema.SimpleBooleanParams(schema.BooleanParams{Name: a.Name, MultiValued: a.MultiValued})
		}
		s.Attributes = append(s.Attributes, schema.SimpleCoreAttribute(params))
	}
	return s
}

// Create implements scim.ResourceHandler.
func (c *collection) Create(_ *http.Request, attributes scim.ResourceAttributes) (scim.Resource, error) {
	c.app.mu.Lock()
	defer c.app.mu.Unlock()
	rec := &record{id: uuid.NewString(), attributes: copyValue(map[string]any(attributes)).(map[string]any), created: time.Now()}
	if err := c.admit(rec); err != nil {
		return scim.Resource{}, err
	}
	c.records = append(c.records, rec)
	return rec.resource(), nil
}

// Get implements scim.ResourceHandler.
func (c *collection) Get(_ *http.Request, id string) (scim.Resource, error) {
	c.app.mu.Lock()
	defer c.app.mu.Unlock()
	rec, err := c.find(id)
	if err != nil {
		return scim.Resource{}, err
	}
	return rec.resource(), nil
}

// GetAll implements scim.ResourceHandler.
func (c *collection) GetAll(_ *http.Request, params scim.ListRequestParams) (scim.Page, error) {
	c.app.mu.Lock()
	defer c.app.mu.Unlock()
	matching := []scim.Resource{}
	for _, rec := range c.records {
		if params.FilterValidator == nil || params.FilterValidator.PassesFilter(flat(rec.attributes)) == nil {
			matching = append(matching, rec.resource())
		}
	}
	first := min(params.StartIndex-1, len(matching))
	last := min(first+params.Count, len(matching))
	return scim.Page{TotalResults: len(matching), Resources: matching[first:last]}, nil
}

// Replace implements scim.ResourceHandler.
func (c *collection) Replace(r *http.Request, id string, attributes scim.ResourceAttributes) (scim.Resource, error) {
	return c.change(r, id, func(map[string]any) (map[string]any, error) {
		return copyValue(map[string]any(attributes)).(map[string]any), nil
	})
}

// Patch implements scim.ResourceHandler. Either all operations are applied or none.
func (c *collection) Patch(r *http.Request, id string, operations []scim.PatchOperation) (scim.Resource, error) {
	return c.change(r, id, func(attributes map[string]any) (map[string]any, error) {
		for _, op := range operations {
			if err := c.apply(attributes, op); err != nil {
				return nil, err
			}
		}
		return attributes, nil
	})
}

// Delete implements scim.ResourceHandler. Memberships of the deleted resource go with it.
func (c *collection) Delete(_ *http.Request, id string) error {
	c.app.mu.Lock()
	defer c.app.mu.Unlock()
	if _, err := c.find(id); err != nil {
		return err
	}
	c.records = slices.DeleteFunc(c.records, func(r *record) bool { return r.id == id })
	for _, group := range c.app.groups.records {
		if members, ok := group.attributes["members"].([]any); ok {
			group.attributes["members"] = slices.DeleteFunc(members, func(m any) bool { return memberID(m) == id })
		}
	}
	return nil
}

func (c *collection) change(r *http.Request, id string, edit func(map[string]any) (map[string]any, error)) (scim.Resource, error) {
	c.app.mu.Lock()
	defer c.app.mu.Unlock()
	rec, err := c.find(id)
	if err != nil {
		return scim.Resource{}, err
	}
	if match := r.Header.Get("If-Match"); match != "" && match != "*" && match != rec.etag() {
		return scim.Resource{}, scimerrors.ScimError{Status: http.StatusPreconditionFailed, Detail: "the resource has changed"}
	}
	changed := *rec
	if changed.attributes, err = edit(copyValue(rec.attributes).(map[string]any)); err != nil {
		return scim.Resource{}, err
	}
	if err := c.admit(&changed); err != nil {
		return scim.Resource{}, err
	}
	*rec = changed
	return rec.resource(), nil
}

// admit checks what concerns other records, and stamps the record.
func (c *collection) admit(rec *record) error {
	name, _ := rec.attributes[c.unique].(string)
	for _, other := range c.records {
		taken, _ := other.attributes[c.unique].(string)
		if c.unique != "" && other.id != rec.id && strings.EqualFold(taken, name) {
			return scimerrors.ScimError{
				ScimType: scimerrors.ScimTypeUniqueness, Status: http.StatusConflict,
				Detail: fmt.Sprintf("%s %s is in use", c.unique, name),
			}
		}
	}
	if members, _ := rec.attributes["members"].([]any); c.app.opts.CheckMembers {
		for _, m := range members {
			if id := memberID(m); !c.app.exists(id) {
				return scimerrors.ScimError{
					ScimType: scimerrors.ScimTypeInvalidValue, Status: http.StatusBadRequest,
					Detail: "there is no member " + id,
				}
			}
		}
	}
	rec.modified = time.Now()
	rec.version++
	return nil
}

func (a *application) exists(id string) bool {
	has := func(r *record) bool { return r.id == id }
	return slices.ContainsFunc(a.users.records, has) || slices.ContainsFunc(a.groups.records, has)
}

func (c *collection) find(id string) (*record, error) {
	for _, rec := range c.records {
		if rec.id == id {
			return rec, nil
		}
	}
	return nil, scimerrors.ScimErrorResourceNotFound(id)
}

func (r *record) etag() string { return fmt.Sprintf(`W/"%d"`, r.version) }

// resource hands out a copy: the library adds id, schemas and meta to the map it is given.
func (r *record) resource() scim.Resource {
	created, modified := r.created, r.modified
	return scim.Resource{
		ID: r.id, Attributes: copyValue(r.attributes).(map[string]any),
		Meta: scim.Meta{Created: &created, LastModified: &modified, Version: r.etag()},
	}
}

// flat puts an extension's attributes next to the core ones, as the library's filters want them.
func flat(attributes map[string]any) map[string]any {
	m := maps.Clone(attributes)
	for name, value := range attributes {
		if nested, ok := value.(map[string]any); ok && strings.HasPrefix(name, "urn:") {
			for sub, v := range nested {
				m[name+":"+sub] = v
			}
		}
	}
	return m
}

func memberID(member any) string {
	m, _ := member.(map[string]any)
	id, _ := m["value"].(string)
	return id
}

func copyValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = copyValue(e)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = copyValue(e)
		}
		return l
	}
	return v
}
