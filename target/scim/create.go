package scim

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"entrasync/target"
)

// Create implements [target.Adapter].
func (a *Adapter) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	op := opName("create", kind)
	attributes = a.dialect.withoutLabels(kind, a.dialect.typed(ctx, kind, attributes), false)
	post := func(attributes []target.Attribute) (*response, error) {
		return a.client.send(ctx, call{op: op, method: http.MethodPost, path: []string{endpoint(kind)}, body: a.dialect.document(kind, attributes)})
	}
	ans, err := post(attributes)
	if mayRefuseLabels(err, attributes) {
		bare := a.dialect.withoutLabels(kind, attributes, true)
		if again, refused := post(bare); refused == nil {
			a.dialect.noteLabelsRefused(kind, attributes)
			ans, err, attributes = again, nil, bare
		}
	}
	if err != nil {
		a.indexes[kind].forget() // a later look-up must not be shown what was before
		if e := blamed(err, attributes); e != nil {
			return nil, e
		}
		return nil, err
	}
	if r := ans.resource(kind); r != nil {
		if ans.status == http.StatusOK && anotherIdentity(r, attributes) {
			return nil, &target.Error{
				Op: op, Code: target.Conflict, Status: ans.status,
				Message: "the application answered with one that exists already",
			}
		}
		a.learned.noteMade(r.Ref)
		a.dialect.noteLabels(kind, attributes, r)
		return r, a.switchOn(ctx, ans.status, r, attributes)
	}
	if id := ans.located(kind); id != "" {
		a.learned.noteMade(target.Ref{Kind: kind, ID: id})
		return &target.Resource{Ref: target.Ref{Kind: kind, ID: id}, Version: ans.version}, nil
	}
	return a.created(ctx, op, kind, attributes)
}

// switchOn writes that a user is active once more where a creation was answered with 200 instead of 201
// (RFC 7644, section 3.3): some applications take an account that they had for the new one, or make
// one that cannot sign in yet, and repeat what was sent in the response (Zabbix). A refusal is
// no error: the account is made, and its response shows it active.
func (a *Adapter) switchOn(ctx context.Context, status int, r *target.Resource, attributes []target.Attribute) error {
	i := slices.IndexFunc(attributes, isActive)
	if r.Kind != target.User || status != http.StatusOK || i < 0 || attributes[i].Value != true {
		return nil
	}
	_, err := a.Update(ctx, r.Ref, attributes[i:i+1])
	var e *target.Error
	if !errors.As(err, &e) || e.Code != target.Unavailable && !e.Code.Stops() {
		return nil
	}
	made := *e
	made.Op, made.Indeterminate = opName("create", r.Kind), true // the next cycle finds it
	return &made
}

// anotherIdentity reports whether a resource bears another identity than was sent: some servers
// answer a creation with 200 and the account they have under that name.
func anotherIdentity(r *target.Resource, attributes []target.Attribute) bool {
	for _, attribute := range attributes {
		switch strings.ToLower(attribute.Path.Canonical()) {
		case "externalid", "username":
			if held := r.Value(attribute.Path); held != nil && held != "" && !attribute.Path.Same(attribute.Value, held) {
				return true
			}
		}
	}
	return false
}

// created looks up the id of a resource that was made without telling it.
func (a *Adapter) created(ctx context.Context, op string, kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	a.indexes[kind].forget()
	for _, name := range []string{"externalId", "userName", "displayName"} {
		for _, attribute := range attributes {
			value, ok := attribute.Value.(string)
			if !ok || value == "" || attribute.Path.Canonical() != name {
				continue
			}
			if found, err := a.Find(ctx, kind, attribute.Path, value); err == nil && len(found) == 1 {
				return &found[0], nil
			}
		}
	}
	return nil, &target.Error{
		Op: op, Code: target.Unavailable, Indeterminate: true,
		Message: "the application did not say the id of what it made, and it cannot be found yet",
	}
}

// document makes a new resource's JSON, with only the schemas that it uses.
func (d *dialect) document(kind target.Kind, attributes []target.Attribute) map[string]any {
	doc := map[string]any{}
	for _, attribute := range attributes {
		attribute = d.wired(attribute)
		if attribute.Value != nil {
			attribute.Path.Set(doc, attribute.Value)
		}
	}
	// One mail address is the primary one; AWS insists, and Entra sends it.
	if emails, ok := doc["emails"].([]any); ok && len(emails) == 1 {
		if email, ok := emails[0].(map[string]any); ok && email["primary"] == nil {
			email["primary"] = true
		}
	}
	schemas := []any{coreSchema(kind)}
	if kind == target.Group {
		for _, urn := range d.cfg.GroupSchemas {
			schemas = append(schemas, urn)
		}
		if d.cfg.Dialect == EntraLegacy || d.cfg.Dialect == Entra2020 {
			schemas = append(schemas, entraGroup)
		}
	}
	doc["schemas"] = withExtensions(schemas, doc, attributes)
	return doc
}

// withExtensions adds the URNs of the attributes' extensions that the document has.
func withExtensions(schemas []any, doc map[string]any, attributes []target.Attribute) []any {
	var urns []string
	for _, attribute := range attributes {
		urn := attribute.Path.Schema()
		if urn == "" || member(doc, urn) == nil || slices.Contains(urns, urn) {
			continue
		}
		if !slices.ContainsFunc(schemas, func(s any) bool { return strings.EqualFold(text(s), urn) }) {
			urns = append(urns, urn)
		}
	}
	slices.Sort(urns)
	for _, urn := range urns {
		schemas = append(schemas, urn)
	}
	return schemas
}

// Delete implements [target.Adapter]. Servers that answer a second deletion with an error of
// their own are asked whether the resource is gone.
func (a *Adapter) Delete(ctx context.Context, ref target.Ref) error {
	_, err := a.client.send(ctx, call{op: opName("delete", ref.Kind), method: http.MethodDelete, path: []string{endpoint(ref.Kind), ref.ID}})
	if err == nil || missing(err) {
		a.learned.forgetMade(ref)
		return nil
	}
	if statusOf(err) >= 500 && ctx.Err() == nil {
		if _, gone := a.Get(ctx, ref); missing(gone) {
			return nil
		}
	}
	return err
}
