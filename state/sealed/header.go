package sealed

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"entrasync/state/kv"
)

// keyHeader is in the meta bucket of an encrypted database: a version, the id of its key, a salt, and what is sealed of
// the ring.
var keyHeader = []byte("seal")

const (
	headerVersion = 1
	saltSize      = 32
)

// A Ring are the keys that the databases of a state may have.
type Ring struct {
	Current *Key   // of new databases; nil: they are not encrypted
	Others  []*Key // while a state is given another key: those before
	Plain   bool   // while a state is encrypted or decrypted: databases may be unencrypted, too
}

// find returns the key with an id, nil when the ring does not have it.
func (r Ring) find(id keyID) *Key {
	for _, k := range append([]*Key{r.Current}, r.Others...) {
		if k != nil && k.id() == id {
			return k
		}
	}
	return nil
}

// Unfinished reports whether the state is being given another key.
func (r Ring) Unfinished() bool { return r.Plain || len(r.Others) > 0 }

// A KeyError says that a database has another key than the configuration names.
type KeyError struct {
	Name string // of the database
	Has  string // id of its key, "" for a database that is not encrypted
	With *Key   // what it was opened with; nil: no key
}

// Error says what the database has and what to do.
func (e *KeyError) Error() string {
	switch {
	case e.Has == "":
		return fmt.Sprintf("open %s: it is not encrypted, and state.key_file names a key; encrypt it with: entrasync state rekey --new-key-file %s", e.Name, e.With.file)
	case e.With == nil:
		return fmt.Sprintf("open %s: it is encrypted with key %s, and the configuration names no key; name the file with that key in state.key_file", e.Name, e.Has)
	}
	return fmt.Sprintf("open %s: it is encrypted with key %s, and %s holds key %s; name the file with the right key in state.key_file. "+
		"If entrasync state rekey was interrupted, run it again", e.Name, e.Has, e.With.file, e.With.ID())
}

// A header is what a database says of its key.
type header struct {
	prefix []byte // version, id, salt
	id     keyID
	sealed []byte
}

// body is what is sealed in a header.
type body struct {
	Others [][]byte `json:"others,omitempty"`
	Plain  bool     `json:"plain,omitempty"`
}

func readHeader(raw []byte) (h header, err error) {
	n := 1 + len(h.id) + saltSize
	if len(raw) < n || raw[0] != headerVersion {
		return h, errors.New("its header of the encryption is of another version, or damaged")
	}
	h.prefix, h.sealed = raw[:n:n], raw[n:]
	copy(h.id[:], raw[1:])
	return h, nil
}

// newHeader makes the header of a database with the key of a ring, and its cipher.
func newHeader(of Of, ring Ring) ([]byte, *codec, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails
	id := ring.Current.id()
	prefix := append(append([]byte{headerVersion}, id[:]...), salt...)
	c, err := newCodec(of, ring.Current, salt)
	if err != nil {
		return nil, nil, err
	}
	raw, err := c.sealBody(of, prefix, ring)
	return raw, c, err
}

// sealBody returns a header with what a ring has besides its key.
func (c *codec) sealBody(of Of, prefix []byte, ring Ring) ([]byte, error) {
	in := body{Plain: ring.Plain}
	for _, k := range ring.Others {
		in.Others = append(in.Others, k.secret[:])
	}
	text, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce) // never fails
	raw := append(append([]byte{}, prefix...), nonce...)
	return c.values.Seal(raw, nonce, text, of.bind("header", prefix)), nil
}

// open returns the cipher of a database with a key, and the ring that its header has.
func (h header) open(of Of, key *Key) (*codec, Ring, error) {
	broken := errors.New("its header of the encryption was changed")
	c, err := newCodec(of, key, h.prefix[1+len(h.id):])
	if err != nil {
		return nil, Ring{}, err
	}
	if len(h.sealed) < chacha20poly1305.NonceSizeX {
		return nil, Ring{}, broken
	}
	nonce, sealed := h.sealed[:chacha20poly1305.NonceSizeX], h.sealed[chacha20poly1305.NonceSizeX:]
	text, err := c.values.Open(nil, nonce, sealed, of.bind("header", h.prefix))
	var in body
	if err != nil || json.Unmarshal(text, &in) != nil {
		return nil, Ring{}, broken
	}
	ring := Ring{Current: key, Plain: in.Plain}
	for _, secret := range in.Others {
		k, err := NewKey(secret)
		if err != nil {
			return nil, Ring{}, broken
		}
		ring.Others = append(ring.Others, k)
	}
	return c, ring, nil
}

// An Of is whose database it is: its schema's kind and its owner.
type Of struct{ Kind, ID string }

// bind is the additional data of something of a database.
func (o Of) bind(what string, data []byte) []byte {
	return append([]byte(kv.Path("entrasync", what, o.Kind, o.ID, "")), data...)
}

// derive returns a key for one purpose.
func derive(of Of, key *Key, salt []byte, purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, key.secret[:], salt, string(of.bind(purpose, nil)), keySize)
}
