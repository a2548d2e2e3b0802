package all

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"entrasync/target"
)

// maxSecret is more than any token has.
const maxSecret = 64 << 10

// secret returns a secret that stands in the configuration or in a file.
func secret(text, path string) target.Secret {
	if path == "" {
		return func() (string, error) { return text, nil }
	}
	return (&secretFile{path: path}).read
}

// A secretFile is read when it is first needed and again when it has changed: a rotated
// Kubernetes secret is a new inode, an edited file has another time or size.
type secretFile struct {
	path string

	mu   sync.Mutex // guards text and seen
	text string
	seen os.FileInfo
}

func (s *secretFile) read() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := os.Stat(s.path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if s.seen != nil && os.SameFile(s.seen, now) && s.seen.ModTime().Equal(now.ModTime()) && s.seen.Size() == now.Size() {
		return s.text, nil
	}
	f, err := os.Open(s.path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer f.Close()
	// The stamp is that of the file that is read, which may be newer than the one looked at.
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("read secret: %s is larger than %d KiB; it should hold nothing but the secret", s.path, maxSecret>>10)
	}
	s.text = strings.TrimSuffix(strings.TrimSuffix(string(plainText(data)), "\n"), "\r")
	s.seen = info
	return s.text, nil
}

// plainText returns a text file as UTF-8 without a byte order mark: editors of Windows write one, and
// PowerShell's redirection writes UTF-16.
func plainText(data []byte) []byte {
	decoder := unicode.BOMOverride(transform.Nop)
	if len(data) > 1 && len(data)%2 == 0 && data[0] > 0 && data[0] < 0x80 && data[1] == 0 { // begins with an ASCII character
		decoder = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder()
	}
	if text, _, err := transform.Bytes(decoder, data); err == nil {
		return text
	}
	return data
}
