package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"entrasync/state"
)

// A Check is one log as `audit verify --json` prints it.
type Check struct {
	Log    string             `json:"log"`              // name of the tenant, or Service
	Tenant string             `json:"tenant,omitempty"` // its id
	First  uint64             `json:"first"`
	Last   uint64             `json:"last"`
	Head   string             `json:"head"` // of the last line as SEQ:HASH; "" when there is none
	OK     bool               `json:"ok"`
	Faults []state.AuditFault `json:"faults"`
}

// A knownHead is a line that is known from elsewhere, such as from an earlier verify: its number and its hash.
type knownHead struct {
	Seq  uint64
	Hash string
}

// parseHead reads a head as verify prints it, SEQ:HASH.
func parseHead(text string) (knownHead, error) {
	seq, hash, found := strings.Cut(text, ":")
	n, err := strconv.ParseUint(seq, 10, 64)
	raw, hexErr := hex.DecodeString(hash)
	if !found || err != nil || n == 0 || hexErr != nil || len(raw) != sha256.Size {
		return knownHead{}, fmt.Errorf("%q is no head of an audit log: it is the number of a line, a colon and 64 hexadecimal digits", text)
	}
	return knownHead{n, strings.ToLower(hash)}, nil
}

// verifyLog verifies a log, and that it has the lines that are known from elsewhere.
func verifyLog(log Log, heads []knownHead) (Check, error) {
	out := Check{Log: log.Name, Faults: []state.AuditFault{}}
	if log.Name != Service {
		out.Tenant = log.Tenant.String()
	}
	err := log.view(func(a state.Audit) error {
		found := a.Verify()
		out.First, out.Last, out.Faults = found.First, found.Last, append(out.Faults, found.Faults...)
		if found.Last > 0 {
			out.Head = fmt.Sprintf("%d:%s", found.Last, found.Head)
		}
		for _, head := range heads {
			out.compare(head, func() (string, bool) {
				hash, kept := a.HashOf(head.Seq)
				return hash.String(), kept
			})
		}
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("verify the audit log of %s: %w", log.Name, err)
	}
	out.OK = len(out.Faults) == 0
	return out, nil
}

// compare verifies that the log has a line that is known from elsewhere.
func (c *Check) compare(head knownHead, hashOf func() (string, bool)) {
	switch hash, kept := hashOf(); {
	case head.Seq > c.Last:
		c.Faults = append(c.Faults, state.AuditFault{Seq: head.Seq, What: fmt.Sprintf("the log ends with line %d: it was cut off, or restored from an older copy", c.Last)})
	case head.Seq < c.First:
		c.Faults = append(c.Faults, state.AuditFault{Seq: head.Seq, What: "it is no longer kept, so its hash cannot be compared"})
	case !kept || hash != head.Hash:
		c.Faults = append(c.Faults, state.AuditFault{Seq: head.Seq, What: "it has another hash than the one given: the log was written again, or went another way after it was restored from a copy"})
	}
}

// maxLine bounds a line of an exported file.
const maxLine = 64 << 20

// A fileLine is what verifying needs of an exported line. In the OCSF form the line is in raw_data.
type fileLine struct {
	Seq     uint64  `json:"seq"`
	Tenant  string  `json:"tenant"`
	Hash    string  `json:"hash"`
	Prev    string  `json:"prev"`
	RawData *string `json:"raw_data"`
	Log     string  `json:"log"`
}

// verifyFiles verifies exported files, which are read as one, the oldest first. Each log has its own chain in it.
// It cannot know what came before the first line or behind the last.
func verifyFiles(files []io.Reader, names []string) ([]Check, error) {
	chains := map[string]*fileChain{}
	var order []*fileChain
	for i, file := range files {
		in := bufio.NewReaderSize(file, 1<<20)
		for number := 1; ; number++ {
			text, err := in.ReadBytes('\n')
			if errors.Is(err, io.EOF) && len(bytes.TrimSpace(text)) == 0 {
				break
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("read %s: %w", names[i], err)
			}
			if len(text) > maxLine {
				return nil, fmt.Errorf("%s, line %d: it has more than %d MiB", names[i], number, maxLine>>20)
			}
			text = bytes.TrimSpace(text)
			if len(text) == 0 {
				continue
			}
			line, raw, err := parseFileLine(text)
			if err != nil {
				return nil, fmt.Errorf("%s, line %d: %w", names[i], number, err)
			}
			key := line.chainOf()
			chain := chains[key]
			if chain == nil {
				chain = &fileChain{Check: Check{Log: cmp.Or(key, Service), Tenant: key, First: line.Seq, Faults: []state.AuditFault{}}}
				chains[key], order = chain, append(order, chain)
			}
			chain.add(line, raw)
		}
	}
	checks := make([]Check, len(order))
	for i, chain := range order {
		chain.OK, chain.Head = len(chain.Faults) == 0, fmt.Sprintf("%d:%s", chain.Last, chain.prev)
		checks[i] = chain.Check
	}
	slices.SortStableFunc(checks, func(a, b Check) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return checks, nil
}

func parseFileLine(text []byte) (*fileLine, []byte, error) {
	var line fileLine
	if err := json.Unmarshal(text, &line); err != nil {
		return nil, nil, fmt.Errorf("it is no JSON object: %w", err)
	}
	if line.RawData == nil {
		return &line, text, nil
	}
	raw := []byte(*line.RawData)
	line = fileLine{}
	if err := json.Unmarshal(raw, &line); err != nil {
		return nil, nil, fmt.Errorf("its raw_data is no JSON object: %w", err)
	}
	return &line, raw, nil
}

// chainOf is the tenant whose chain the line is of, "" for the service's, whose lines may be about a tenant.
func (l *fileLine) chainOf() string {
	if l.Log == Service {
		return ""
	}
	return l.Tenant
}

type fileChain struct {
	Check
	prev string
}

// add verifies the next line of the chain.
func (c *fileChain) add(line *fileLine, text []byte) {
	fault := func(format string, args ...any) {
		c.Faults = append(c.Faults, state.AuditFault{Seq: line.Seq, What: fmt.Sprintf(format, args...)})
	}
	began := c.Last == 0
	switch {
	case began:
	case line.Seq == c.Last && line.Hash == c.prev:
		return // written twice, when the export was interrupted
	case line.Seq <= c.Last:
		fault("it comes after line %d: the log was restored from a copy, or lines were moved", c.Last)
	case line.Seq > c.Last+1:
		fault("lines %d to %d are missing before it", c.Last+1, line.Seq-1)
	case line.Prev != c.prev:
		fault("it does not follow the line before it")
	}
	if hashOfLine(text) != line.Hash {
		fault("it is not as it was written")
	}
	c.Last, c.prev = line.Seq, line.Hash
}

// hashOfLine computes the hash of an exported line: of its text without the member hash.
func hashOfLine(text []byte) string {
	const prefix = `{"hash":"`
	end := len(prefix) + 2*sha256.Size
	if !bytes.HasPrefix(text, []byte(prefix)) || len(text) < end+2 || string(text[end:end+2]) != `",` {
		return ""
	}
	sum := sha256.Sum256(append([]byte("{"), text[end+2:]...))
	return hex.EncodeToString(sum[:])
}
