package configs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// A Secret is a value that is never printed. It stands in the configuration itself or, better,
// in a file. The zero Secret is none.
type Secret struct {
	File   string // path of the file with the secret, "" for one given as text
	inline *string
}

const maxSecret = 1 << 20

// minToken is the least length of http.token: 16 characters of a random token have 80 bits or more.
const minToken = 16

// newSecret returns a secret given as text.
func newSecret(text string) Secret { return Secret{inline: &text} }

// IsZero reports whether there is none.
func (s Secret) IsZero() bool { return s.File == "" && s.inline == nil }

// Read returns the secret. One in a file is read each time, so that a changed file counts at
// once; white space at its end is dropped. An empty secret is an error.
func (s Secret) Read() (string, error) {
	if s.inline != nil {
		return strings.TrimRight(*s.inline, "\r\n"), nil // variables often end in one
	}
	if s.File == "" {
		return "", errors.New("read secret: none is configured")
	}
	file, err := os.Open(s.File)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	data = plainText(data)
	text := string(data)
	if utf8.Valid(data) { // a binary PFX keeps its last bytes
		text = strings.TrimRight(text, " \t\r\n")
	}
	switch {
	case len(data) > maxSecret:
		return "", fmt.Errorf("read secret: %s is larger than %d MiB", s.File, maxSecret>>20)
	case text == "":
		return "", fmt.Errorf("read secret: %s is empty", s.File)
	}
	return text, nil
}

func (s Secret) tooShort(text string) bool { return len(strings.TrimRight(text, " \t\r\n")) < minToken }

// ReadToken returns a secret that other machines may try to guess. One that is too short is an error.
func (s Secret) ReadToken() (string, error) {
	text, err := s.Read()
	if err == nil && s.tooShort(text) {
		return "", fmt.Errorf("read secret: the %s has fewer than %d characters, and could be guessed; make one: openssl rand -base64 32", s, minToken)
	}
	return text, err
}

// String names where the secret is, never what it is.
func (s Secret) String() string {
	switch {
	case s.File != "":
		return "secret in " + s.File
	case s.inline != nil:
		return "secret"
	}
	return "no secret"
}

// Format prints the String under every verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue logs the String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON writes the String.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

func (s *Secret) decode(d *decoder, n *node, key string, f field) {
	if f.file {
		d.value(n, reflect.ValueOf(&s.File).Elem(), key, field{format: "path"})
		return
	}
	var text string
	d.value(n, reflect.ValueOf(&text).Elem(), key, field{})
	if n.kind == scalar && n.text == "" {
		d.fault(n, key, "", "%s is empty", key)
		return
	}
	s.inline = &text
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
