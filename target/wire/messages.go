package wire

import "encoding/json"

// The messages. Their doc tags are what the published JSON Schema says of them.

// Attributes are values by attribute path, as the configuration writes it: userName, name.givenName,
// emails[type eq "work"].value, or an extension's attribute behind its URN and a colon. A value is a text, a boolean, a
// number, a list or an object; null clears.
type Attributes map[string]any

// HelloParams introduce entrasync.
type HelloParams struct {
	Protocol int               `json:"protocol" doc:"Version of this protocol: 1."`
	Product  string            `json:"product" doc:"Who asks, such as entrasync/1.4.0."`
	Config   map[string]string `json:"config,omitempty" doc:"The target's config, as the configuration has it. To a program only."`
	Secrets  map[string]string `json:"secrets,omitempty" doc:"Contents of the files under the target's secrets. To a program only. Do not write them to standard error."`
}

// HelloResult introduces the application.
type HelloResult struct {
	Protocol  int      `json:"protocol" required:"true" doc:"Version of the protocol that is spoken: 1."`
	Name      string   `json:"name,omitempty" doc:"How the application calls itself; check shows it."`
	Kinds     []string `json:"kinds" required:"true" enum:"user,group" doc:"What it keeps."`
	Abilities []string `json:"abilities,omitempty" enum:"members,changeMembers" doc:"Messages about groups that it answers. One that keeps groups without members names none."`
}

// ProbeParams ask whether the application works, without changing anything.
type ProbeParams struct {
	Paths map[string][]string `json:"paths,omitempty" doc:"Attribute paths that will be written, by kind."`
}

// ProbeResult says what check should know.
type ProbeResult struct {
	Notes   []string `json:"notes,omitempty" doc:"Sentences for the administrator: what is missing or odd."`
	Unknown []string `json:"unknown,omitempty" doc:"Those of the paths that the application does not have."`
}

// FindParams ask for the resources that have a value.
type FindParams struct {
	Kind      string `json:"kind" enum:"user,group" doc:"user or group."`
	Attribute string `json:"attribute" doc:"Attribute path."`
	Value     string `json:"value" doc:"What the attribute equals. User names, mail addresses and display names are compared in any case."`
}

// FindResult are the resources; none is an empty list.
type FindResult struct {
	Resources []Resource `json:"resources" required:"true" doc:"Those that have the value, with their attributes. None is an empty list."`
}

// A Resource is an account or group as the application holds it.
type Resource struct {
	ID         json.RawMessage `json:"id" required:"true" type:"id" doc:"The application's own id of it: a text or a number that never changes and is never given to another."`
	Attributes Attributes      `json:"attributes,omitempty" doc:"What it holds, by attribute path."`
}

// RefParams name one resource.
type RefParams struct {
	Kind string `json:"kind" enum:"user,group" doc:"user or group."`
	ID   string `json:"id" doc:"The application's own id of it."`
}

// ResourceResult is one resource.
type ResourceResult struct {
	Resource *Resource `json:"resource" required:"true" doc:"The resource as it is."`
}

// ListParams ask for a page of all resources of a kind.
type ListParams struct {
	Kind   string `json:"kind" enum:"user,group" doc:"user or group."`
	Cursor string `json:"cursor,omitempty" doc:"What the page before named as next; absent at first."`
	Limit  int    `json:"limit" doc:"Most resources on the page."`
}

// ListResult is a page.
type ListResult struct {
	Resources []Resource `json:"resources" required:"true" doc:"The resources of this page. Members of groups may be left out."`
	Next      string     `json:"next,omitempty" doc:"Cursor of the next page; absent on the last one."`
}

// CreateParams make a resource.
type CreateParams struct {
	Kind       string     `json:"kind" enum:"user,group" doc:"user or group."`
	Source     string     `json:"source,omitempty" doc:"Id of the user or group in the directory."`
	Attributes Attributes `json:"attributes" doc:"What it is to hold, by attribute path."`
}

// UpdateParams change the attributes that they name and no others.
type UpdateParams struct {
	Kind       string     `json:"kind" enum:"user,group" doc:"user or group."`
	ID         string     `json:"id" doc:"The application's own id of it."`
	Attributes Attributes `json:"attributes" doc:"The attributes to change, by path. null clears one."`
	Old        Attributes `json:"old,omitempty" doc:"What was last written to these attributes, where something was."`
}

// UpdateResult is the resource afterwards, where the application says so.
type UpdateResult struct {
	Resource *Resource `json:"resource,omitempty" doc:"The resource afterwards."`
	Refused  []Refusal `json:"refused,omitempty" doc:"Attributes that were refused; the others were written."`
}

// A Refusal is an attribute that was not written.
type Refusal struct {
	Attribute string `json:"attribute" required:"true" doc:"Its path, as it was sent."`
	Message   string `json:"message" required:"true" doc:"Why, in a sentence."`
}

// ChangeMembersParams change who is in a group.
type ChangeMembersParams struct {
	Group  string   `json:"group" doc:"Id of the group."`
	Add    []string `json:"add,omitempty" doc:"Ids of users to add. One who is there is no error."`
	Remove []string `json:"remove,omitempty" doc:"Ids of users to remove. One who is not there is no error."`
}

// ChangeMembersResult names those who were refused.
type ChangeMembersResult struct {
	Refused []MemberRefusal `json:"refused,omitempty" doc:"Members that were refused; the others were written."`
}

// A MemberRefusal is a member that was not written.
type MemberRefusal struct {
	ID      string `json:"id" required:"true" doc:"Id of the user."`
	Message string `json:"message" required:"true" doc:"Why, in a sentence."`
}

// MembersParams ask for a page of a group's members.
type MembersParams struct {
	Group  string `json:"group" doc:"Id of the group."`
	Cursor string `json:"cursor,omitempty" doc:"What the page before named as next; absent at first."`
	Limit  int    `json:"limit" doc:"Most members on the page."`
}

// MembersResult is a page of members.
type MembersResult struct {
	Members []string `json:"members" required:"true" doc:"Ids of users."`
	Next    string   `json:"next,omitempty" doc:"Cursor of the next page; absent on the last one."`
}

// Nothing is what a message or an answer without content holds.
type Nothing struct{}

// ErrorObject is the error of JSON-RPC 2.0.
type ErrorObject struct {
	Code    int        `json:"code" required:"true" doc:"A number, as JSON-RPC wants it. -32601 says that the method is not known; the others mean nothing."`
	Message string     `json:"message" required:"true" doc:"What happened, in a sentence that an administrator understands."`
	Data    *ErrorData `json:"data,omitempty" doc:"What entrasync can do about it."`
}

// ErrorData says what can be done about an error.
type ErrorData struct {
	Code       string  `json:"code,omitempty" enum:"target_rejected,duplicate_target,target_missing,target_unsupported,target_unavailable,target_unauthorized,target_forbidden" doc:"target_rejected: this record as it is (the default). duplicate_target: it exists already. target_missing: it does not exist. target_unsupported: never possible. target_unavailable: try later. target_unauthorized: the credential is refused, stop. target_forbidden: not allowed."`
	Attribute  string  `json:"attribute,omitempty" doc:"Path of the attribute that is to blame."`
	Unsure     bool    `json:"unsure,omitempty" doc:"The write may have happened all the same."`
	RetryAfter float64 `json:"retryAfter,omitempty" doc:"Seconds to wait before the next attempt."`
}

// A message is the envelope of JSON-RPC 2.0 for what is sent.
type message struct {
	Version string `json:"jsonrpc"`
	ID      any    `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

// An answer is the envelope for what comes back.
type answer struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result"`
	Error   *ErrorObject    `json:"error"`
}
