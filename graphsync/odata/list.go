// Package odata decodes what Microsoft Graph answers: delta pages, collections and single
// objects, from bytes to the directory's vocabulary.
//
// It sends nothing and knows no SDK, so that it can be fuzzed and measured alone. It
// promises that an explicit null stays one, that an entry that cannot be understood is named and
// costs only itself, and that a page which is not whole is an error.
package odata

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"entrasync/graphsync"

	"github.com/go-json-experiment/json/jsontext"
)

// A List is what surrounds the entries of a response.
type List struct {
	Next, Delta string
	Count       int64 // @odata.count, -1 when absent
	Entries     int
	Content     []byte // the text of the entries, part of the body
}

// maxEntries bounds the entries of one page. Graph's have 999 at most, getByIds' 1000 (Graph: paging).
// Each costs memory, however short it is.
const maxEntries = 20_000

// maxObject bounds the body of a single object, whose lists are decoded as a whole. A manifest with its
// app roles has 1,200 entries at most (Entra: manifest limits).
const maxObject = 4 << 20

// DecodeList reads an OData collection, handing each element of its value to entry, which
// must consume it.
func DecodeList(body []byte, entry func(*jsontext.Decoder) error) (List, error) {
	l := List{Count: -1}
	var err error
	if body, err = repairText(body); err != nil {
		return l, notJSON(err)
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if dec.PeekKind() != '{' {
		if _, err := dec.ReadValue(); err != nil {
			return l, notJSON(err)
		}
		return l, Undocumented("the answer is not a JSON object")
	}
	if _, err := dec.ReadToken(); err != nil {
		return l, notJSON(err)
	}
	seen := map[string]bool{}
	for dec.PeekKind() != '}' {
		quoted, err := dec.ReadValue()
		if err != nil {
			return l, notJSON(err)
		}
		key := text(quoted)
		if seen[key] {
			return l, Undocumented(fmt.Sprintf("the answer has %.60q twice", key))
		}
		seen[key] = true
		if key == "value" && dec.PeekKind() == '[' {
			from := dec.InputOffset()
			if l.Entries, err = readElements(dec, entry); err != nil {
				return l, notJSON(err)
			}
			l.Content = body[from:dec.InputOffset()]
			continue
		}
		value, err := dec.ReadValue()
		if err != nil {
			return l, notJSON(err)
		}
		switch key {
		case "value":
			return l, Undocumented("the answer's value is not a list")
		case "@odata.nextLink", "@odata.deltaLink":
			link := ""
			if value.Kind() == '"' {
				link = text(value)
			}
			if link == "" {
				return l, Undocumented("the answer's " + key + " is not a link")
			}
			if key == "@odata.nextLink" {
				l.Next = link
			} else {
				l.Delta = link
			}
		case "@odata.count":
			if json.Unmarshal(value, &l.Count) != nil || l.Count < 0 {
				return l, Undocumented("the answer's @odata.count is not a number")
			}
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return l, notJSON(err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return l, notJSON(errors.New("something follows the answer's end"))
	}
	if !seen["value"] {
		return l, Undocumented("the answer has no value")
	}
	return l, nil
}

func readElements(dec *jsontext.Decoder, entry func(*jsontext.Decoder) error) (n int, err error) {
	if _, err := dec.ReadToken(); err != nil {
		return 0, err
	}
	for ; dec.PeekKind() != ']'; n++ {
		if n == maxEntries {
			return n, Undocumented(fmt.Sprintf("the page has more than %d entries", maxEntries))
		}
		if err := entry(dec); err != nil {
			return n, err
		}
	}
	_, err = dec.ReadToken()
	return n, err
}

// Undocumented is JSON that says something Graph does not document.
func Undocumented(what string) *graphsync.Error {
	return &graphsync.Error{Class: graphsync.BadResponse, Message: what, Hint: "if this lasts, report it with the request id"}
}

// ErrNotJSON marks bodies that are worth asking for again.
var ErrNotJSON = errors.New("the body is not JSON")

func notJSON(err error) error {
	if e := (*graphsync.Error)(nil); errors.As(err, &e) {
		return e
	}
	return &graphsync.Error{
		Class: graphsync.BadResponse, Message: fmt.Sprintf("the answer is not valid JSON, or was cut off: %v", err),
		Hint: "a proxy or firewall may be answering in Graph's place, or cutting answers short", Err: ErrNotJSON,
	}
}

// repairText makes a body valid Unicode. Directories hold names that were cut in the middle
// of a surrogate pair; refusing them would stop the sync at that page for ever.
func repairText(body []byte) ([]byte, error) {
	if utf8.Valid(body) && !bytes.Contains(body, []byte(`\ud`)) && !bytes.Contains(body, []byte(`\uD`)) {
		return body, nil
	}
	return jsontext.AppendFormat(nil, body, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}

// text returns the value of a JSON string that the decoder has read.
func text(quoted []byte) string {
	if inner := quoted[1 : len(quoted)-1]; !bytes.ContainsRune(inner, '\\') {
		return string(inner)
	}
	unquoted, _ := jsontext.AppendUnquote(nil, quoted) // replaces what is not Unicode
	return string(unquoted)
}

// parseID reads a quoted GUID without allocating, unlike graphsync.ParseID: a page has
// hundreds.
func parseID(quoted []byte) (id graphsync.ID, ok bool) {
	if len(quoted) != 38 || quoted[0] != '"' {
		return id, false
	}
	s := quoted[1:37]
	if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, false
	}
	var compact [32]byte
	at := 0
	for _, part := range [][2]int{{0, 8}, {9, 13}, {14, 18}, {19, 23}, {24, 36}} {
		at += copy(compact[at:], s[part[0]:part[1]])
	}
	if _, err := hex.Decode(id[:], compact[:]); err != nil {
		return graphsync.ID{}, false
	}
	return id, true
}

// DecodeObject reads a response of a single, small object.
func DecodeObject(body []byte, into any) error {
	if len(body) > maxObject {
		return Undocumented(fmt.Sprintf("the answer is larger than %d MiB", maxObject>>20))
	}
	if !json.Valid(body) {
		return notJSON(ErrNotJSON)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return Undocumented(fmt.Sprintf("the answer cannot be understood: %v", err))
	}
	return nil
}
