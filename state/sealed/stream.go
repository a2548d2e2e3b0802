package sealed

import (
	"bufio"
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// An encrypted stream is a header, which names the key and has a salt, and chunks of 64 KiB, each sealed with
// ChaCha20-Poly1305 under a key of the stream's own. The nonce of a chunk is its number and whether it is the last, so
// that chunks cannot change places, and a stream that was cut off is noticed.

// streamMagic begins an encrypted stream.
const streamMagic = "entrasync sealed state 1\n"

const chunkSize = 64 << 10

// A chunks seals or opens one chunk after another.
type chunks struct {
	aead  cipher.AEAD
	count uint64
}

func newChunks(key *Key, salt []byte) (*chunks, error) {
	secret, err := derive(Of{}, key, salt, "stream")
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.New(secret)
	return &chunks{aead: aead}, err
}

func (c *chunks) nonce(last bool) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSize)
	binary.BigEndian.PutUint64(nonce[3:], c.count)
	if c.count++; last {
		nonce[len(nonce)-1] = 1
	}
	return nonce
}

// A Writer encrypts a stream. Close ends it, and does not close what it writes to.
type Writer struct {
	w      io.Writer
	chunks *chunks
	buf    []byte
}

// NewWriter begins an encrypted stream.
func NewWriter(w io.Writer, key *Key) (*Writer, error) {
	salt, id := make([]byte, saltSize), key.id()
	rand.Read(salt) // never fails
	c, err := newChunks(key, salt)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(append(append([]byte(streamMagic), id[:]...), salt...))
	return &Writer{w: w, chunks: c, buf: make([]byte, 0, chunkSize)}, err
}

// Write implements [io.Writer].
func (w *Writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if len(w.buf) == chunkSize { // not the last one, as something follows
			if err := w.flush(false); err != nil {
				return n, err
			}
		}
		part := p[:min(len(p), chunkSize-len(w.buf))]
		w.buf = append(w.buf, part...)
		p, n = p[len(part):], n+len(part)
	}
	return n, nil
}

func (w *Writer) flush(last bool) error {
	_, err := w.w.Write(w.chunks.aead.Seal(nil, w.chunks.nonce(last), w.buf, nil))
	w.buf = w.buf[:0]
	return err
}

// Close writes the last chunk.
func (w *Writer) Close() error { return w.flush(true) }

// A StreamKeyError says that none of the keys that were given is that of a stream.
type StreamKeyError struct{ Has string }

// Error names the key.
func (e *StreamKeyError) Error() string {
	return fmt.Sprintf("it is encrypted with key %s, which was not given; name the file with that key with --key-file", e.Has)
}

// NewReader returns the content of a stream. One that is not encrypted is read as it is.
func NewReader(r io.Reader, keys []*Key) (io.Reader, error) {
	in := bufio.NewReaderSize(r, chunkSize+chacha20poly1305.Overhead+1)
	if magic, _ := in.Peek(len(streamMagic)); string(magic) != streamMagic {
		return in, nil
	}
	var id keyID
	header := make([]byte, len(streamMagic)+len(id)+saltSize)
	if _, err := io.ReadFull(in, header); err != nil {
		return nil, err
	}
	copy(id[:], header[len(streamMagic):])
	key := Ring{Others: keys}.find(id)
	if key == nil {
		return nil, &StreamKeyError{fmt.Sprintf("%x", id)}
	}
	c, err := newChunks(key, header[len(streamMagic)+len(id):])
	return &reader{in: in, chunks: c}, err
}

// A reader decrypts a stream.
type reader struct {
	in     *bufio.Reader
	chunks *chunks
	buf    bytes.Reader
	last   bool
}

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (int, error) {
	for r.buf.Len() == 0 {
		if r.last {
			return 0, io.EOF
		}
		sealed := make([]byte, chunkSize+chacha20poly1305.Overhead)
		n, err := io.ReadFull(r.in, sealed)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if _, more := r.in.Peek(1); more != nil {
			r.last = true
		}
		text, err := r.chunks.aead.Open(nil, r.chunks.nonce(r.last), sealed[:n], nil)
		if err != nil {
			return 0, errors.New("it cannot be decrypted")
		}
		r.buf.Reset(text)
	}
	return r.buf.Read(p)
}
