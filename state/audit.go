package state

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// The audit log of a tenant is in the tenant's file, and that of the service in the registry's, so that a line
// is committed in the transaction that does what the line reports.
const (
	bucketAudit      = "audit"      // number of the first line, uint64 → auditBlock
	bucketAuditMarks = "auditmarks" // the same key, of packed blocks → auditMarks
	bucketAuditHead  = "audithead"  // keyAuditHead → auditHead
)

var keyAuditHead = []byte("head")

// An Audit is an append-only log. Its lines are numbered from 1 and each carries the hash of the line before:
// it is a chain. A clock that jumps changes the times of lines and not their order.
type Audit struct{ tx *Tx }

// Audit returns the audit log of the tenant.
func (tx *Tx) Audit() Audit { return Audit{tx} }

// A ServiceAudit is the audit log of the service: what concerns no tenant, and what must outlive one. Its methods
// may be called concurrently.
type ServiceAudit struct{ registry *database }

// Audit returns the audit log of the service.
func (s *Store) Audit() ServiceAudit { return ServiceAudit{s.registry} }

// Append adds lines to the end of the log, in a transaction of its own.
func (a ServiceAudit) Append(entries ...AuditEntry) error {
	return a.registry.update(func(tx *Tx) error { return tx.Audit().Append(entries...) })
}

// View runs read on the log as it stands.
func (a ServiceAudit) View(read func(Audit) error) error {
	return a.registry.view(func(tx *Tx) error { return read(tx.Audit()) })
}

// Prune deletes lines from the beginning of the log, as [Audit.Prune] does, until none is left to delete. Where there is
// none it writes nothing.
func (a ServiceAudit) Prune(now, before time.Time, bytesKept uint64) error {
	due := false
	if err := a.View(func(log Audit) error { due = log.prunable(before, bytesKept); return nil }); err != nil {
		return err
	}
	for due {
		err := a.registry.update(func(tx *Tx) (err error) {
			due, err = tx.Audit().Prune(now, before, bytesKept, AuditEntry{Actor: Actor{Kind: ActorService}})
			return err
		})
		if err != nil {
			return fmt.Errorf("prune the audit log of the service: %w", err)
		}
	}
	return nil
}

// An Actor is who did something.
type Actor struct {
	Kind string `json:"actor"`        // one of the Actor constants
	Name string `json:"by,omitempty"` // of the user, "" where it is not known
}

// The kinds of actors.
const (
	ActorService = "service" // a schedule, or what the program does for its own reasons
	ActorCommand = "command" // a user of this machine at the command line
	ActorPage    = "page"    // a user of the operator's page
	ActorAPI     = "api"     // a client of the admin API
	ActorConsent = "consent" // an administrator of a customer, on the consent pages
)

// An AuditEntry is what a line of the audit log is made of. Its texts may hold any character.
type AuditEntry struct {
	At     time.Time
	Event  string // a stable word
	Actor  Actor
	Tenant graphsync.ID // zero: the one whose log it is, or none in the log of the service
	Sync   string
	Run    string
	Result string // a stable word
	// About is a JSON object with the further members of the line, without those that the fields above make.
	About []byte
	// Objects are the users and groups that the line can be found by.
	Objects []graphsync.ID
}

// ServiceLog is the member log of the lines of the service's log. Those of a tenant's have none.
const ServiceLog = "service"

// text is the line as JSON, without the members prev and hash.
func (e *AuditEntry) text(seq uint64, log string) []byte {
	b := make([]byte, 0, 320+len(e.About))
	b = append(b, `{"seq":`...)
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, `,"at":"`...)
	b = e.At.UTC().AppendFormat(b, auditTime)
	b = append(b, '"')
	b = appendMember(b, "log", log)
	b = appendMember(b, "event", e.Event)
	b = appendMember(b, "actor", e.Actor.Kind)
	b = appendMember(b, "by", e.Actor.Name)
	if !e.Tenant.IsZero() {
		b = appendMember(b, "tenant", e.Tenant.String())
	}
	b = appendMember(b, "sync", e.Sync)
	b = appendMember(b, "run", e.Run)
	b = appendMember(b, "result", e.Result)
	if len(e.About) > len("{}") {
		b = append(append(b, ','), e.About[1:]...)
	} else {
		b = append(b, '}')
	}
	return b
}

// auditTime is the form of times in lines: RFC 3339 in UTC, to the millisecond.
const auditTime = "2006-01-02T15:04:05.000Z"

// appendMember appends a member of a JSON object, unless it is empty.
func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	if plainText(value) {
		return append(append(append(b, '"'), value...), '"')
	}
	quoted, _ := json.Marshal(value) // a string is never an error
	return append(b, quoted...)
}

// plainText reports whether a text is the same in JSON, as most are.
func plainText(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// An AuditHash is the hash of a line: SHA-256 of the line's JSON with the hash of the line before as its first
// member prev, and without its own. That of the first line has zeros before it.
type AuditHash [sha256.Size]byte

// String returns the hash in hexadecimal digits.
func (h AuditHash) String() string { return hex.EncodeToString(h[:]) }

// after is the hash of a line that follows the line of this hash.
func (h AuditHash) after(text []byte) AuditHash {
	sum := sha256.New()
	var head [len(`{"prev":"`) + 2*sha256.Size + len(`",`)]byte
	sum.Write(append(hex.AppendEncode(append(head[:0], `{"prev":"`...), h[:]), `",`...))
	sum.Write(text[1:])
	var hash AuditHash
	sum.Sum(hash[:0])
	return hash
}

// line appends the bytes of which the hash of a line is made.
func (h AuditHash) line(to, text []byte) []byte {
	to = append(to, `{"prev":"`...)
	to = hex.AppendEncode(to, h[:])
	to = append(to, `",`...)
	return append(to, text[1:]...)
}

// An AuditLine is a line of the log.
type AuditLine struct {
	Seq  uint64
	Prev AuditHash // of the line before
	Hash AuditHash
	text []byte
}

// JSON is the line as it is exported: the members hash and prev, then those of the entry. What follows the
// member hash, with an opening brace before it, are the bytes that are hashed.
func (l *AuditLine) JSON() []byte {
	hashed := l.Prev.line(nil, l.text)
	out := append(make([]byte, 0, len(hashed)+80), `{"hash":"`...)
	out = hex.AppendEncode(out, l.Hash[:])
	return append(append(out, `",`...), hashed[1:]...)
}

// Text is the line as JSON without hash and prev, valid until the transaction ends.
func (l *AuditLine) Text() []byte { return l.text }

// An auditHead says where a log begins and ends.
type auditHead struct {
	seq   uint64 // of the last line, 0 when there is none
	hash  AuditHash
	first uint64 // the first line that is kept
	open  uint64 // the first line that is in no packed block
	bytes uint64 // of all blocks
}

func (a Audit) head() (h auditHead) {
	raw := a.tx.kv.get(keyAuditHead, bucketAuditHead)
	if raw == nil {
		return auditHead{first: 1, open: 1}
	}
	if len(raw) != 4*8+len(h.hash) {
		panic(kv.BadRecord{What: "the head of the audit log cannot be read"})
	}
	h.seq, h.first = binary.BigEndian.Uint64(raw), binary.BigEndian.Uint64(raw[8:])
	h.open, h.bytes = binary.BigEndian.Uint64(raw[16:]), binary.BigEndian.Uint64(raw[24:])
	copy(h.hash[:], raw[32:])
	return h
}

func (a Audit) putHead(h auditHead) error {
	raw := binary.BigEndian.AppendUint64(nil, h.seq)
	raw = binary.BigEndian.AppendUint64(raw, h.first)
	raw = binary.BigEndian.AppendUint64(raw, h.open)
	raw = binary.BigEndian.AppendUint64(raw, h.bytes)
	return a.tx.kv.put(keyAuditHead, append(raw, h.hash[:]...), bucketAuditHead)
}

// Head returns the number and the hash of the last line, 0 when there is none.
func (a Audit) Head() (uint64, AuditHash) {
	h := a.head()
	return h.seq, h.hash
}

// size returns how much room the log takes.
func (a Audit) size() uint64 { return a.head().bytes }

// Append adds lines to the end of the log.
func (a Audit) Append(entries ...AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	h := a.head()
	if h.seq == 0 { // what follows is another chain than any other log's, also one of the same lines
		var chain [16]byte
		rand.Read(chain[:]) // never fails
		begin := AuditEntry{At: entries[0].At, Event: "log_started", Actor: Actor{Kind: ActorService}, Tenant: entries[0].Tenant,
			About: fmt.Appendf(nil, `{"chain":"%x"}`, chain)}
		entries = append([]AuditEntry{begin}, entries...)
	}
	lines := make([]auditStored, len(entries))
	prev, log := h.hash, ""
	if a.tx.db.tenant.IsZero() {
		log = ServiceLog
	}
	for i := range entries {
		if h.seq++; entries[i].Tenant.IsZero() {
			entries[i].Tenant = a.tx.db.tenant
		}
		lines[i] = newAuditStored(&entries[i], h.seq, h.hash, log)
		h.hash = lines[i].hash
	}
	if err := a.store(&h, prev, lines); err != nil {
		return fmt.Errorf("append to the audit log: %w", err)
	}
	return a.putHead(h)
}
