package audit

import (
	"cmp"
	"encoding/json"
	"io"
	"strings"

	"entrasync/reconcile/plan"
)

// ocsfVersion is the version of the Open Cybersecurity Schema Framework that lines are written in, see
// https://schema.ocsf.io/1.3.0.
const ocsfVersion = "1.3.0"

// The classes of OCSF's category Identity & Access Management (3) that lines are events of.
const (
	accountChange    = 3001 // what is done to the account of a user
	entityManagement = 3004 // anything else
)

// An ocsfActivity is one of a class.
type ocsfActivity struct {
	id   int
	name string
}

// otherActivity is OCSF's number for what a class has no activity for; the name says what it is.
const otherActivity = 99

// accountActivities are those of Account Change.
var accountActivities = map[plan.Op]ocsfActivity{
	plan.Create: {1, "Create"}, plan.Reactivate: {2, "Enable"}, plan.Deactivate: {5, "Disable"}, plan.Delete: {6, "Delete"},
	plan.Update: {otherActivity, "Update"}, plan.Adopt: {otherActivity, "Adopt"}, plan.Unlink: {otherActivity, "Unlink"},
}

// entityActivities are those of Entity Management, by operation or event.
var entityActivities = map[string]ocsfActivity{
	string(plan.Create): {1, "Create"}, string(plan.Delete): {4, "Delete"},
	"tenant_joined": {1, "Create"}, "invitation_made": {1, "Create"}, "link_set": {1, "Create"}, "pinned": {1, "Create"},
	"tenant_removed": {4, "Delete"}, "invitation_withdrawn": {4, "Delete"}, "link_broken": {4, "Delete"}, "unpinned": {4, "Delete"}, "log_pruned": {4, "Delete"},
}

// entityTypes are what events are about.
var entityTypes = map[string]string{
	"configuration": "configuration", "approve": "hold", "reject": "hold", "run": "run", "drift": "account", "tenant_joined": "tenant", "tenant_paused": "tenant",
	"tenant_resumed": "tenant", "tenant_removed": "tenant", "invitation_made": "invitation", "invitation_withdrawn": "invitation",
	"link_broken": "link", "link_set": "link", "pinned": "pin", "unpinned": "pin", "log_started": "audit log", "log_forked": "audit log", "log_pruned": "audit log",
}

type ocsfUser struct {
	Name   string `json:"name,omitempty"`
	TypeID int    `json:"type_id"` // 1 user, 3 system
	UID    string `json:"uid,omitempty"`
	UIDAlt string `json:"uid_alt,omitempty"` // the account in the application
}

type ocsfEntity struct {
	Name string `json:"name,omitempty"`
	Type string `json:"type"`
	UID  string `json:"uid,omitempty"`
}

type ocsfProduct struct {
	Name    string `json:"name"`
	Vendor  string `json:"vendor_name"`
	Version string `json:"version,omitempty"`
}

// An ocsfEvent is a line as an event of OCSF. The whole line is in unmapped.
type ocsfEvent struct {
	ActivityID   int    `json:"activity_id"`
	ActivityName string `json:"activity_name"`
	Actor        struct {
		User ocsfUser `json:"user"`
	} `json:"actor"`
	CategoryName string      `json:"category_name"`
	CategoryUID  int         `json:"category_uid"`
	ClassName    string      `json:"class_name"`
	ClassUID     int         `json:"class_uid"`
	Comment      string      `json:"comment,omitempty"`
	Entity       *ocsfEntity `json:"entity,omitempty"`
	Message      string      `json:"message"`
	Metadata     struct {
		CorrelationUID string      `json:"correlation_uid,omitempty"` // the run
		EventCode      string      `json:"event_code"`
		LogName        string      `json:"log_name"`
		Product        ocsfProduct `json:"product"`
		Sequence       uint64      `json:"sequence"`
		UID            string      `json:"uid"` // the hash of the line
		Version        string      `json:"version"`
	} `json:"metadata"`
	Severity     string          `json:"severity"`
	SeverityID   int             `json:"severity_id"`
	Status       string          `json:"status"`
	StatusCode   string          `json:"status_code,omitempty"`
	StatusDetail string          `json:"status_detail,omitempty"`
	StatusID     int             `json:"status_id"`
	Time         int64           `json:"time"` // milliseconds
	TypeName     string          `json:"type_name"`
	TypeUID      int             `json:"type_uid"`
	Unmapped     json.RawMessage `json:"unmapped"`
	User         *ocsfUser       `json:"user,omitempty"`
}

// OCSF returns a line as an event of OCSF, on one line of text. version is that of entrasync.
func (l *Line) OCSF(version string) ([]byte, error) {
	var hash struct {
		Hash string `json:"hash"`
	}
	if err := json.Unmarshal(l.JSON, &hash); err != nil {
		return nil, err
	}
	e := ocsfEvent{CategoryUID: 3, CategoryName: "Identity & Access Management", Time: l.At.UnixMilli(), Unmapped: l.JSON}
	e.Actor.User = ocsfUser{Name: cmp.Or(l.By, l.Actor), TypeID: 1}
	if l.Actor == "service" {
		e.Actor.User = ocsfUser{Name: "entrasync", TypeID: 3}
	}
	m := &e.Metadata
	m.CorrelationUID, m.EventCode, m.LogName, m.Sequence, m.UID, m.Version = l.Run, l.Event, l.TenantName, l.Seq, hash.Hash, ocsfVersion
	m.Product = ocsfProduct{"entrasync", "entrasync", version}
	l.subject(&e)
	e.TypeUID, e.TypeName = e.ClassUID*100+e.ActivityID, e.ClassName+": "+e.ActivityName
	l.outcome(&e)
	e.Message = l.sentence()
	if e.ClassUID == entityManagement { // Account Change has no such attribute
		e.Comment = l.Reason
	}
	return json.Marshal(e)
}

// subject says what an event is about, and so of which class it is.
func (l *Line) subject(e *ocsfEvent) {
	if activity, known := accountActivities[l.Op]; known && l.Kind == "user" {
		e.ClassUID, e.ClassName = accountChange, "Account Change"
		e.ActivityID, e.ActivityName = activity.id, activity.name
		e.User = &ocsfUser{Name: l.Key, TypeID: 1, UID: l.SourceID, UIDAlt: l.target()}
		return
	}
	e.ClassUID, e.ClassName = entityManagement, "Entity Management"
	activity, known := entityActivities[cmp.Or(string(l.Op), l.Event)]
	if !known {
		activity = ocsfActivity{3, "Update"}
	}
	e.ActivityID, e.ActivityName = activity.id, activity.name
	entity := ocsfEntity{Name: l.Key, Type: cmp.Or(l.Kind, entityTypes[l.Event], l.Event), UID: l.SourceID}
	if l.Op == "" && entityTypes[l.Event] != "" {
		entity.Type = entityTypes[l.Event]
	}
	entity.UID = cmp.Or(entity.UID, l.Hold, l.Run, l.Tenant)
	if entity.Name == "" && entity.UID == "" {
		entity.Name = l.TenantName
	}
	e.Entity = &entity
}

// outcome says how it ended.
func (l *Line) outcome(e *ocsfEvent) {
	e.StatusID, e.Status, e.SeverityID, e.Severity = 1, "Success", 1, "Informational"
	switch l.Result {
	case "failed", "refused":
		e.StatusID, e.Status, e.SeverityID, e.Severity = 2, "Failure", 2, "Low"
	case "partial", "held":
		e.StatusID, e.Status = 99, l.Result
	}
	if l.Event == "log_forked" {
		e.SeverityID, e.Severity = 4, "High"
	}
	if l.Error != nil {
		e.StatusCode, e.StatusDetail = l.Error.Code, l.Error.Message
	}
}

// sentence says what happened, in a few words.
func (l *Line) sentence() string {
	parts := []string{l.Event}
	for _, part := range []string{string(l.Op), l.Kind, l.Key, l.Result} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}

// A Writer writes the lines of a query in one form.
type Writer func(w io.Writer, each func(visit func(*Line) error) error) error

// Writers are the forms for other programs, by name. version is that of entrasync.
func Writers(version string) map[string]Writer {
	return map[string]Writer{"json": WriteJSON, "csv": WriteCSV, "jsonl": WriteJSONL,
		"ocsf": func(w io.Writer, each func(visit func(*Line) error) error) error { return WriteOCSF(w, version, each) }}
}

// WriteOCSF writes the lines of a query as events of OCSF, one on each line of text.
func WriteOCSF(w io.Writer, version string, each func(visit func(*Line) error) error) error {
	return each(func(l *Line) error {
		text, err := l.OCSF(version)
		if err == nil {
			_, err = w.Write(append(text, '\n'))
		}
		return err
	})
}

// WriteJSONL writes the lines of a query as JSON, one on each line of text.
func WriteJSONL(w io.Writer, each func(visit func(*Line) error) error) error {
	return each(func(l *Line) error {
		_, err := w.Write(append(l.JSON[:len(l.JSON):len(l.JSON)], '\n'))
		return err
	})
}
