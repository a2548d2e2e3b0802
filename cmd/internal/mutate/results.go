package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type outcome string

const (
	noticed  outcome = "noticed"
	survived outcome = "SURVIVED"
	applies  outcome = "applies"
	unfit    outcome = "NO LONGER APPLIES"
	broken   outcome = "DOES NOT BUILD"
)

// A result is what came of one mutation. Its exported fields are a line of the result file.
type result struct {
	mutation mutation
	outcome  outcome // empty while tests are left to run

	ID      string
	Text    string   // digest of the entry
	By      string   // the tests that noticed it, or why it could not be tried
	Passed  []string // the tests that did not notice it
	Seconds float64
}

// by says in a report which tests noticed the fault, or that these did not.
func (r *result) by() string {
	if r.outcome == survived {
		return strings.Join(r.Passed, ", ")
	}
	return r.By
}

// A resultFile has one line for each run of tests with a fault, so that a run that was
// interrupted can be resumed.
type resultFile struct {
	file *os.File
	last map[string]result // by id and text: what the run that is resumed found
}

// openResults opens the file, and reads what is in it when a run is to be resumed.
func openResults(path string, resume bool) (*resultFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	mode := os.O_RDWR | os.O_CREATE | os.O_APPEND
	if !resume {
		mode |= os.O_TRUNC
	}
	file, err := os.OpenFile(path, mode, 0o644)
	if err != nil {
		return nil, err
	}
	f := &resultFile{file: file, last: map[string]result{}}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var res result
		if json.Unmarshal(lines.Bytes(), &res) == nil { // the last line of a killed run may be cut off
			f.last[res.ID+res.Text] = res
		}
	}
	return f, nil
}

// begin returns what is known of a mutation: nothing, unless a run is resumed that has tried it.
func (f *resultFile) begin(m mutation) *result {
	sum := sha256.Sum256([]byte(m.old + "\x00" + m.new))
	res := result{ID: m.id, Text: hex.EncodeToString(sum[:8])}
	if f != nil {
		if before, ok := f.last[res.ID+res.Text]; ok {
			res = before
		}
	}
	res.mutation = m
	if res.By != "" {
		res.outcome = noticed
	}
	return &res
}

// add appends what is known of a mutation now. What could not be tried is not kept.
func (f *resultFile) add(res *result) {
	if f == nil || res.outcome == unfit || res.outcome == broken {
		return
	}
	line, err := json.Marshal(res)
	if err == nil {
		_, err = f.file.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the result is not kept:", err)
	}
}
