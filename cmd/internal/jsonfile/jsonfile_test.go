package jsonfile_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"entrasync/cmd/internal/jsonfile"
)

func encode16(s string, order func(uint16) [2]byte) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		two := order(unit)
		b = append(b, two[:]...)
	}
	return string(b)
}

func little(u uint16) [2]byte { return [2]byte{byte(u), byte(u >> 8)} }
func big(u uint16) [2]byte    { return [2]byte{byte(u >> 8), byte(u)} }

func TestText(t *testing.T) {
	t.Parallel()
	const want = `{"name": "Zoë 😀"}`
	for name, saved := range map[string]string{
		"UTF-8": want, "UTF-8 with a mark": "\xef\xbb\xbf" + want,
		"UTF-16 as PowerShell writes it": encode16("\ufeff"+want, little), "UTF-16, big-endian": encode16("\ufeff"+want, big),
		"UTF-16 without a mark": encode16(want, little), "UTF-16, big-endian without a mark": encode16(want, big),
	} {
		if got := string(jsonfile.Text([]byte(saved))); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(file, []byte("\xef\xbb\xbf{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := jsonfile.Read(file, nil, os.ReadFile); err != nil || string(text) != "{}" {
		t.Errorf("file: %q, %v", text, err)
	}
	if text, err := jsonfile.Read("-", strings.NewReader("[]"), os.ReadFile); err != nil || string(text) != "[]" {
		t.Errorf("standard input: %q, %v", text, err)
	}
	if _, err := jsonfile.Read(file+"x", nil, os.ReadFile); err == nil || !strings.Contains(err.Error(), "a.jsonx") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestDecodeTellsThePlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{\n  \"ä\": x}":             "f.json:2:8: this is not JSON",
		"<html>":                     "it looks like a web page",
		"@{id=1}":                    "ConvertTo-Json -Depth 100",
		"{\n\"list\": \"@{a=1}\"}":   "f.json:2:",
		`{"list": [1, "x"]}`:         "list is a string, which it cannot be",
		`{"list": [1]}` + "\n\n{}":   "f.json:3:1: something follows the JSON",
		`{"list": [1`:                "f.json:1:12: the JSON ends too early",
		"":                           "f.json is empty",
		`{"list": [1], "list": 1.5}`: "list is a number",
	} {
		var v struct {
			List []int `json:"list"`
		}
		if err := jsonfile.Decode("f.json", []byte(text), &v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestElements(t *testing.T) {
	t.Parallel()
	if got := jsonfile.Elements([]byte(`[1, {"a": [2]} ,"x"]`)); !slices.Equal(got, []int{1, 4, 16}) {
		t.Errorf("of the whole: %v", got)
	}
	if got := jsonfile.Elements([]byte(`{"x": {"rules": 1}, "Rules": [ {},{}]}`), "rules"); !slices.Equal(got, []int{31, 34}) {
		t.Errorf("of a key: %v", got)
	}
	for _, text := range []string{`{}`, `{"rules": {}}`, `3`, `[`, ``} {
		if got := jsonfile.Elements([]byte(text), "rules"); got != nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"list": [1, 2]}`))
	f.Add([]byte("\xff\xfe{\x00}\x00"))
	f.Add([]byte("\xef\xbb\xbf<x>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := jsonfile.Text(raw)
		var v any
		if err := jsonfile.Decode("f.json", text, &v); (err == nil) != json.Valid(text) {
			t.Errorf("error %v for %q", err, text)
		}
		jsonfile.Elements(text, "list")
	})
}
