// Package jsonfile reads JSON that a person saved from a browser or a shell: in UTF-8 with or
// without a byte order mark, or in UTF-16 as PowerShell's redirection writes it. It promises
// that a mistake is told with its line and column; what the JSON means is left to the caller.
package jsonfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
)

// maxSize is the largest file that is read, in bytes. Schemas with all their attribute
// definitions have some megabytes.
const maxSize = 64 << 20

const blank = " \t\r\n" // what JSON takes for white space

// Read returns the content of a file, "-" being stdin, as UTF-8. readFile is [os.ReadFile] or
// stands in for it.
func Read(name string, stdin io.Reader, readFile func(string) ([]byte, error)) ([]byte, error) {
	if name == "-" {
		readFile = func(string) ([]byte, error) { return io.ReadAll(io.LimitReader(stdin, maxSize+1)) }
	}
	raw, err := readFile(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", Name(name), err)
	case len(raw) > maxSize:
		return nil, fmt.Errorf("read %s: it is larger than %d MiB", Name(name), maxSize>>20)
	}
	return Text(raw), nil
}

// Name is what messages call a file.
func Name(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// Text returns content as UTF-8 without a byte order mark.
func Text(raw []byte) []byte {
	order, policy := unicode.LittleEndian, unicode.UseBOM
	switch {
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")):
		return raw[3:]
	case bytes.HasPrefix(raw, []byte("\xff\xfe")), bytes.HasPrefix(raw, []byte("\xfe\xff")):
	case len(raw) > 1 && raw[0] != 0 && raw[1] == 0: // JSON begins with an ASCII character
		policy = unicode.IgnoreBOM
	case len(raw) > 1 && raw[0] == 0 && raw[1] != 0:
		order, policy = unicode.BigEndian, unicode.IgnoreBOM
	default:
		return raw
	}
	text, err := unicode.UTF16(order, policy).NewDecoder().Bytes(raw)
	if err != nil {
		return raw
	}
	return text
}

// Decode reads the one JSON value that text holds. Numbers in interfaces are [json.Number].
// An error begins with name:line:column.
func Decode(name string, text []byte, v any) error {
	if len(bytes.Trim(text, blank)) == 0 {
		return fmt.Errorf("%s is empty", Name(name))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err := decoder.Decode(v)
	if err == nil {
		rest := text[decoder.InputOffset():]
		if left := bytes.Trim(rest, blank); len(left) > 0 {
			return fmt.Errorf("%s: something follows the JSON: %.20q", Place(name, text, len(text)-len(bytes.TrimLeft(rest, blank))), left)
		}
		return nil
	}
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the JSON ends too early; was all of it saved?", Place(name, text, len(text)))
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: this is not JSON: %s%s", Place(name, text, int(syntax.Offset)-1), syntax, guess(text))
	case errors.As(err, &mismatch):
		return fmt.Errorf("%s: %s is %s, which it cannot be", Place(name, text, int(mismatch.Offset)-1), field(mismatch), article(mismatch.Value))
	}
	return fmt.Errorf("%s: %w", Name(name), err)
}

func field(e *json.UnmarshalTypeError) string {
	if e.Field == "" {
		return "the whole"
	}
	return e.Field
}

func article(value string) string {
	if strings.HasPrefix(value, "number") {
		return "a number"
	}
	if strings.ContainsRune("aeiou", rune(value[0])) {
		return "an " + value
	}
	return "a " + value
}

// guess says what a text that is no JSON probably is.
func guess(text []byte) string {
	switch start := bytes.Trim(text, blank); {
	case start[0] == '<':
		return "; it looks like a web page or XML"
	case bytes.HasPrefix(start, []byte("@{")):
		return "; it looks like a PowerShell object: pipe it through ConvertTo-Json -Depth 100"
	}
	return ""
}

// Place returns name:line:column of a byte, counted from 1, columns in characters.
func Place(name string, text []byte, offset int) string {
	before := text[:min(max(offset, 0), len(text))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Sprintf("%s:%d:%d", Name(name), line, column)
}

// Elements returns where the elements of the list begin that keys, in any case, lead to. text
// must be JSON.
func Elements(text []byte, keys ...string) []int {
	decoder := json.NewDecoder(bytes.NewReader(text))
	start := func() int {
		at := int(decoder.InputOffset())
		return len(text) - len(bytes.TrimLeft(text[at:], blank+",:"))
	}
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil
		}
		if len(keys) == 0 {
			if token != json.Delim('[') {
				return nil
			}
			break
		}
		if token != json.Delim('{') || !seek(decoder, keys[0]) {
			return nil
		}
		keys = keys[1:]
	}
	var found []int
	var skipped json.RawMessage
	for decoder.More() {
		found = append(found, start())
		if decoder.Decode(&skipped) != nil {
			return nil
		}
	}
	return found
}

// seek reads to the value of a key in an object.
func seek(decoder *json.Decoder, key string) bool {
	var skipped json.RawMessage
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		if name, ok := token.(string); ok && strings.EqualFold(name, key) {
			return true
		}
		if decoder.Decode(&skipped) != nil {
			return false
		}
	}
	return false
}
