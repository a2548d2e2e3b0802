package graphtest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"entrasync/graphsync"
)

// tokenLifetime is how long delta tokens of directory objects are good for (delta query
// overview, "Token duration").
const tokenLifetime = 7 * 24 * time.Hour

// A cursor is what a $deltatoken or $skiptoken says: the query it belongs to and how far the
// client has come. Clients cannot read or change it.
type cursor struct {
	Epoch  string         `json:"e"`
	Tenant graphsync.ID   `json:"t"`
	Query  string         `json:"q"`           // the collection, or path of a list
	Select []string       `json:"s,omitempty"` // nil is the default set
	IDs    []graphsync.ID `json:"i,omitempty"` // $filter=id eq
	Since  uint32         `json:"v,omitempty"` // what the client has from rounds before
	Start  uint32         `json:"b,omitempty"` // where the feed stood when the client began to have anything
	At     uint32         `json:"p,omitempty"` // entries of the feed done with in this round
	Member int            `json:"m,omitempty"` // member entries of the object there done with
	Top    int            `json:"k,omitempty"`
	Filter *comparison    `json:"f,omitempty"`
	Nonce  int            `json:"n,omitempty"` // makes links to the same page differ
	Issued int64          `json:"x"`           // Unix seconds
}

// A seal makes tokens that clients can neither make nor change.
type seal struct {
	key   [32]byte
	epoch string // tells this server's tokens from those of one before it
}

func (s *seal) sign(c cursor, now time.Time) string {
	c.Epoch, c.Issued = s.epoch, now.Unix()
	payload, err := json.Marshal(c)
	if err != nil {
		panic("graphtest: write token: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(append(s.mac(payload), payload...))
}

const macSize = 16

func (s *seal) mac(payload []byte) []byte {
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write(payload)
	return mac.Sum(nil)[:macSize]
}

// verify reads a token. One that is too old, or was given out by a server that is no more,
// asks for a new round; one that was tampered with, or belongs elsewhere, is a bad request.
func (c *call) verify(token, query string) (*cursor, *graphError) {
	malformed := refuse(http.StatusBadRequest, "Request_BadRequest", "Badly formed token.")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < macSize {
		return nil, malformed
	}
	mac, payload := raw[:macSize], raw[macSize:]
	var cur cursor
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&cur) != nil {
		return nil, malformed
	}
	if cur.Epoch != c.s.seal.epoch {
		return nil, c.expired(query)
	}
	if !hmac.Equal(mac, c.s.seal.mac(payload)) || cur.Query != query || cur.Tenant != c.tenant.ID() {
		return nil, malformed
	}
	if c.now().Sub(time.Unix(cur.Issued, 0)) > tokenLifetime {
		return nil, c.expired(query)
	}
	return &cur, nil
}

// expired is the response to a delta token whose state is gone: 410 with a Location to start
// again from (delta query overview, "Synchronization reset").
func (c *call) expired(query string) *graphError {
	err := refuse(http.StatusGone, "syncStateNotFound",
		"The sync state generation is not found. The delta token is expired and data must be synchronized again.")
	err.header = http.Header{"Location": {c.base + "/v1.0/" + query + "/delta?$deltatoken="}}
	return err
}

// link returns the absolute URL of a collection or list with a token.
func (c *call) link(path, option string, cur cursor) string {
	return c.base + "/v1.0/" + path + "?" + option + "=" + url.QueryEscape(c.s.seal.sign(cur, c.s.opts.Now()))
}
