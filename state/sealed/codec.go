package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

// A codec are the keys of one database. It may be used concurrently.
type codec struct {
	values cipher.AEAD
	macKey []byte       // of the parts of keys that are hidden
	names  cipher.Block // the same
}

func newCodec(of Of, key *Key, salt []byte) (*codec, error) {
	values, err := derive(of, key, salt, "values")
	if err != nil {
		return nil, err
	}
	macKey, err := derive(of, key, salt, "key tags")
	if err != nil {
		return nil, err
	}
	nameKey, err := derive(of, key, salt, "keys")
	if err != nil {
		return nil, err
	}
	c := &codec{macKey: macKey}
	if c.values, err = chacha20poly1305.NewX(values); err != nil {
		return nil, err
	}
	c.names, err = aes.NewCipher(nameKey)
	return c, err
}

// A nonces are the nonces of one transaction: 16 random bytes and a counter.
type nonces struct {
	next  [chacha20poly1305.NonceSizeX]byte
	count uint64
}

func (n *nonces) take() []byte {
	if n.count == 0 {
		rand.Read(n.next[:16]) // never fails
	}
	n.count++
	binary.BigEndian.PutUint64(n.next[16:], n.count)
	return n.next[:]
}

// overhead is how much longer a sealed value is.
const overhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// A hider hides parts of the keys of one bucket within one transaction: the same part has the same form each time, from
// which it cannot be found, nor a guess of it be confirmed, without the key. The form is a tag of 16 bytes, which is
// the start of the part's key stream (a synthetic initialisation vector), and the encrypted part.
type hider struct {
	c    *codec
	path string
	mac  hash.Hash
}

const tagSize = 16

func (h *hider) tag(part []byte) []byte {
	if h.mac == nil {
		h.mac = hmac.New(sha256.New, h.c.macKey)
	}
	h.mac.Reset()
	h.mac.Write(binary.AppendUvarint(nil, uint64(len(h.path))))
	h.mac.Write([]byte(h.path))
	h.mac.Write(part)
	return h.mac.Sum(nil)[:tagSize]
}

// hide appends the hidden form of a part.
func (h *hider) hide(dst, part []byte) []byte {
	tag := h.tag(part)
	dst = append(dst, tag...)
	from := len(dst)
	dst = append(dst, part...)
	cipher.NewCTR(h.c.names, tag).XORKeyStream(dst[from:], part)
	return dst
}

// show appends the part of a hidden form; ok is false when it is none.
func (h *hider) show(dst, hidden []byte) (shown []byte, ok bool) {
	if len(hidden) < tagSize {
		return dst, false
	}
	from := len(dst)
	dst = append(dst, hidden[tagSize:]...)
	cipher.NewCTR(h.c.names, hidden[:tagSize]).XORKeyStream(dst[from:], hidden[tagSize:])
	return dst, hmac.Equal(h.tag(dst[from:]), hidden[:tagSize])
}
