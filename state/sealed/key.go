// Package sealed encrypts the values of a database, and the parts of its keys that say something about people, whatever
// store it is in. It is a [kv.DB] over another one.
//
// Each database has a data key of its own, derived with HKDF-SHA256 from the operator's key and a random salt in the
// database's header. A value is sealed with XChaCha20-Poly1305 under a nonce that is never used twice, with the path of
// its bucket and its key as additional data: a value that was changed, or that has come under another key, into another
// bucket or another tenant, is not read. What the seal does not tell is that a record is missing, or is an older one of
// the same key.
package sealed

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"entrasync/state/osfile"
)

// keySize is the length of a key in bytes.
const keySize = 32

// A Key is the operator's key. It is never printed.
type Key struct {
	secret [keySize]byte
	file   string // where it was read, "" for one that was not
}

// NewKey returns a key of 32 bytes.
func NewKey(secret []byte) (*Key, error) {
	if len(secret) != keySize {
		return nil, fmt.Errorf("a key has %d bytes, not %d", keySize, len(secret))
	}
	return &Key{secret: [keySize]byte(secret)}, nil
}

// ID names a key: 8 hexadecimal digits, from which the key cannot be computed.
func (k *Key) ID() string { id := k.id(); return hex.EncodeToString(id[:]) }

// String names the key, without what it is.
func (k *Key) String() string { return "key " + k.ID() }

// GoString is String.
func (k *Key) GoString() string { return k.String() }

// Same reports whether two keys are the same.
func (k *Key) Same(other *Key) bool { return hmac.Equal(k.secret[:], other.secret[:]) }

// File is where the key was read.
func (k *Key) File() string { return k.file }

type keyID [4]byte

func (k *Key) id() (id keyID) {
	mac := hmac.New(sha256.New, k.secret[:])
	mac.Write([]byte("entrasync key id"))
	copy(id[:], mac.Sum(nil))
	return id
}

// maxKeyFile bounds what is read of a key file.
const maxKeyFile = 1 << 10

// ReadKey reads a key file: 32 random bytes, as they are or in base64 or hexadecimal digits. A file that other users can
// read or change is an error.
func ReadKey(file string) (*Key, error) {
	fail := func(err error, what string) error {
		return fmt.Errorf("read the key of the state: %w; %s", err, what)
	}
	f, err := os.Open(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fail(err, "without its key an encrypted state cannot be read: put the key file back, or correct the path. A new key: (umask 077; openssl rand -base64 32 > "+file+")")
	case err != nil:
		return nil, fail(err, "it must be readable by the user entrasync runs as")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fail(err, "see that it is a file")
	}
	if err := verifyPrivate(info); err != nil {
		return nil, fail(fmt.Errorf("%s: %w", file, err), "run: chmod 600 "+file)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fail(err, "see that it is a file")
	}
	k, err := parse(data)
	if err != nil {
		return nil, fail(fmt.Errorf("%s: %w", file, err), "it holds 32 random bytes in base64, such as of: openssl rand -base64 32")
	}
	k.file = file
	return k, nil
}

// parse reads the content of a key file.
func parse(data []byte) (*Key, error) {
	text := bytes.TrimSpace(data)
	var secret []byte
	switch {
	case len(data) == keySize:
		secret = data
	case len(text) == 2*keySize:
		secret, _ = hex.DecodeString(string(text))
	case len(text) == base64.StdEncoding.EncodedLen(keySize):
		secret, _ = base64.StdEncoding.DecodeString(string(text))
	case len(text) == base64.RawStdEncoding.EncodedLen(keySize):
		secret, _ = base64.RawStdEncoding.DecodeString(string(text))
	}
	if len(secret) != keySize {
		return nil, errors.New("it holds no key")
	}
	if bytes.Count(secret, secret[:1]) == keySize {
		return nil, errors.New("all bytes of the key are the same")
	}
	return NewKey(secret)
}

// verifyPrivate refuses a key file that other users can read or change. A group may read one that belongs to root, as
// systemd and Kubernetes give credentials to a service.
func verifyPrivate(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("it is no file")
	}
	if !osfile.HasModes {
		return nil
	}
	owner, ok := osfile.OwnerOf(info)
	if !ok || owner.User != 0 && owner.User != os.Geteuid() {
		return errors.New("it belongs to another user")
	}
	allowed := fs.FileMode(0o700)
	if owner.User == 0 && os.Geteuid() != 0 {
		allowed = 0o740
	}
	if mode := info.Mode().Perm(); mode&^allowed != 0 {
		return fmt.Errorf("other users can read or change it (mode %04o)", mode)
	}
	return nil
}
