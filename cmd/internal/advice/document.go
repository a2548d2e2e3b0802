package advice

import (
	"maps"
	"slices"
)

// A codeText is one code as `explain --json` prints it.
type codeText struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// CodeDocument makes the document of one code of [Codes].
func CodeDocument(code string) any {
	return struct {
		Format string `json:"format"`
		codeText
	}{"entrasync/code/1", codeText{code, Codes[code]}}
}

// CodesDocument makes the document of all codes, in alphabetical order.
func CodesDocument() any {
	list := make([]codeText, 0, len(Codes))
	for _, code := range slices.Sorted(maps.Keys(Codes)) {
		list = append(list, codeText{code, Codes[code]})
	}
	return struct {
		Format string     `json:"format"`
		Codes  []codeText `json:"codes"`
	}{"entrasync/codes/1", list}
}
