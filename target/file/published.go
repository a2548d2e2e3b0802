package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"entrasync/state/osfile"
	"entrasync/target"
)

// sizes are when something is done differently.
type sizes struct {
	block   int   // bytes of lines that share a number in the tables
	fresh   int   // records of a table in memory
	members int   // of changed groups in memory before their groups are written to the journal
	indexed int64 // bytes of a file that has an index
}

func usualSizes() sizes {
	return sizes{block: 8 << 10, fresh: 1 << 16, members: 1 << 18, indexed: 1 << 20}
}

// What a block is known to have.
const (
	hasUsers  = 1 << iota
	hasGroups // whose lines change when a user is deleted
	untidy    // blank lines or spaces around lines, which are not written back
)

// A published is the file as it was read: where its lines are, not what they say. It takes about two bytes of memory
// for a line.
type published struct {
	path   string
	file   *os.File // nil: there is no file
	stamp  stamp
	size   int64
	starts []int64 // of the blocks
	marks  []uint8 // of the blocks
	keys   *table  // block and idHash of lines, by id and by the values at paths
	paths  map[target.Kind][]keyed
	odd    bool // a line only looks like one that this package wrote
	sizes  sizes

	index    *os.File // nil: the file was read
	stale    int      // records in keys that other records replace, about
	outgrown bool     // a block has become so long that reading it is too much for a line

	cached int // the block that is in memory, or -1
	block  []byte
}

// A keyed path is one whose values are in the tables.
type keyed struct {
	path target.Path
	name string
}

func newPublished(path string, sizes sizes) *published {
	return &published{
		path: path, sizes: sizes, keys: newTable(filepath.Dir(path), sizes.fresh), cached: -1,
		paths: map[target.Kind][]keyed{target.User: {{userName, userName.String()}}},
	}
}

// readPublished takes the file's index, or reads the whole file once; a file that does not exist is an empty one.
func readPublished(path string, sizes sizes) (p *published, err error) {
	if p, err := openIndexed(path, sizes); err == nil {
		return p, nil
	}
	p = newPublished(path, sizes)
	f, err := osfile.Open(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	p.file = f
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.stamp, err = stampOfOpen(f); err != nil {
		return nil, err
	}
	return p, p.scan()
}

// scan reads every line.
func (p *published) scan() error {
	return eachLine(io.NewSectionReader(p.file, 0, p.stamp.size), func(n int, whole []byte) error {
		line := bytes.TrimSpace(whole)
		p.extend(len(whole), len(line)+1 != len(whole))
		if len(line) == 0 {
			return nil
		}
		e, err := parseLine(line)
		if err != nil {
			return fmt.Errorf("%s line %d: %w", p.path, n, err)
		}
		id, isPlain := plainID(line)
		kind := plainKind(line)
		p.odd = p.odd || isPlain && string(id) != e.ref.ID || kind != "" && kind != e.ref.Kind
		before, err := p.lookup(e.ref.ID)
		if err != nil {
			return err
		}
		if before != nil {
			first, err := p.lineNumber(before.at)
			if err != nil {
				return err
			}
			return fmt.Errorf("%s line %d: the id %q is that of line %d too; every line needs its own", p.path, n, e.ref.ID, first)
		}
		return p.enter(e)
	})
}

// extend counts n more bytes of the file, in the last block or a new one.
func (p *published) extend(n int, notTidy bool) {
	last := len(p.starts) - 1
	if last < 0 || p.size-p.starts[last] >= int64(p.sizes.block) || n > p.sizes.block && p.size > p.starts[last] {
		p.begin(0)
	}
	p.size += int64(n)
	if notTidy {
		p.marks[len(p.marks)-1] |= untidy
	}
	if p.cached == len(p.starts)-1 {
		p.cached = -1
	}
}

// begin begins a block at the end.
func (p *published) begin(marks uint8) {
	p.starts, p.marks = append(p.starts, p.size), append(p.marks, marks)
}

// enter makes a resource of the last block known by its id and values.
func (p *published) enter(e *entry) error {
	block := len(p.starts) - 1
	p.marks[block] |= markOf(e.ref.Kind)
	id := idKey(e.ref.ID)
	place := blockPlace(block, id)
	if err := p.keys.add(id, place); err != nil {
		return err
	}
	return e.eachKey(p.paths[e.ref.Kind], func(key uint64) error { return p.keys.add(key, place) })
}

func blockPlace(block int, id uint64) uint64 { return uint64(block)<<idHashBits | idHash(id) }

func markOf(kind target.Kind) uint8 {
	if kind == target.Group {
		return hasGroups
	}
	return hasUsers
}

// A located line is one of the file. Its text is valid until the next call.
type located struct {
	block int
	at    int64 // in the file
	line  []byte
}

// lookup finds the line with an id; nil when there is none.
func (p *published) lookup(id string) (*located, error) {
	found, err := p.candidates(idKey(id))
	if err != nil {
		return nil, err
	}
	for _, one := range found {
		if p.idOf(one.line) == id {
			return &one, nil
		}
	}
	return nil, nil
}

// candidates returns the lines that may have the value with this key.
func (p *published) candidates(key uint64) (found []located, err error) {
	places, err := p.keys.find(key)
	if err != nil {
		return nil, err
	}
	for _, place := range places {
		block := int(place >> idHashBits)
		err := p.eachOf(block, func(at int64, line []byte) error {
			if idHash(idKey(p.idOf(line))) == place&(1<<idHashBits-1) {
				found = append(found, located{block, at, bytes.Clone(line)})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// eachOf calls f for each line of a block. The text is valid until f returns.
func (p *published) eachOf(block int, f func(at int64, line []byte) error) error {
	start, end := p.span(block)
	if p.cached != block {
		p.cached = -1
		p.block = slices.Grow(p.block[:0], int(end-start))[:end-start]
		if _, err := p.file.ReadAt(p.block, start); err != nil {
			return fmt.Errorf("read %s: %w", p.path, err)
		}
		p.cached = block
	}
	text := p.block
	if len(text) > 16*p.sizes.block {
		p.cached, p.block = -1, nil // one long line is not kept
	}
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte{'\n'})
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 {
			if err := f(end-int64(len(text)), trimmed); err != nil {
				return err
			}
		}
		text = rest
	}
	return nil
}

// span is where a block is in the file.
func (p *published) span(block int) (start, end int64) {
	end = p.size
	if block+1 < len(p.starts) {
		end = p.starts[block+1]
	}
	return p.starts[block], end
}

// idOf returns the id of a line that was read before.
func (p *published) idOf(line []byte) string {
	if id, fast := plainID(line); fast && !p.odd {
		return string(id)
	}
	e, err := parseLine(line)
	if err != nil {
		return ""
	}
	return e.ref.ID
}

// keyBy makes values at one more path known.
func (p *published) keyBy(kind target.Kind, k keyed) error {
	for block, mark := range p.marks {
		if mark&markOf(kind) == 0 {
			continue
		}
		var lines [][]byte // adding to the table reads no block
		err := p.eachOf(block, func(_ int64, line []byte) error { lines = append(lines, line); return nil })
		if err != nil {
			return err
		}
		for _, line := range lines {
			e, err := parseLine(line)
			if err != nil {
				return fmt.Errorf("%s: %w", p.path, err)
			}
			if e.ref.Kind != kind {
				continue
			}
			place := blockPlace(block, idKey(e.ref.ID))
			if err := e.eachKey([]keyed{k}, func(key uint64) error { return p.keys.add(key, place) }); err != nil {
				return err
			}
		}
	}
	p.paths[kind] = append(p.paths[kind], k)
	return nil
}

func (p *published) keyedBy(kind target.Kind, name string) bool {
	return slices.ContainsFunc(p.paths[kind], func(k keyed) bool { return k.name == name })
}

// lineNumber counts the lines up to a place in the file.
func (p *published) lineNumber(at int64) (n int, err error) {
	r := bufio.NewReader(io.NewSectionReader(p.file, 0, at))
	for n = 1; ; n++ {
		switch _, err := r.ReadSlice('\n'); {
		case errors.Is(err, bufio.ErrBufferFull):
			n--
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return 0, err
		}
	}
}

func (p *published) close() {
	p.keys.close()
	if p.file != nil {
		p.file.Close()
	}
	if p.index != nil {
		p.index.Close()
	}
}

// eachLine calls f for every line with its end; the text is valid until f returns.
func eachLine(r io.Reader, f func(n int, whole []byte) error) error {
	buffered := bufio.NewReaderSize(r, 1<<16)
	var long []byte
	for n := 1; ; n++ {
		line, err := buffered.ReadSlice('\n')
		for long = long[:0]; errors.Is(err, bufio.ErrBufferFull); line, err = buffered.ReadSlice('\n') {
			long = append(long, line...)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(long) > 0 {
			long = append(long, line...)
			line = long
		}
		if len(line) > 0 {
			if err := f(n, line); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// plainID returns the id of a line in the form in which this package writes it, unless it has escapes.
func plainID(line []byte) (id []byte, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"id":"`))
	if !ok {
		return nil, false
	}
	id, _, ok = bytes.Cut(rest, []byte{'"'})
	return id, ok && bytes.IndexByte(id, '\\') < 0
}

// plainKind is the kind of a line in the form in which this package writes it; "" for others.
func plainKind(line []byte) target.Kind {
	id, ok := plainID(line)
	if !ok {
		return ""
	}
	switch rest := line[len(`{"id":"`)+len(id):]; {
	case bytes.HasPrefix(rest, []byte(`","meta":{"resourceType":"User"},`)):
		return target.User
	case bytes.HasPrefix(rest, []byte(`","meta":{"resourceType":"Group"},`)):
		return target.Group
	}
	return ""
}

// eachKey calls f with the hash of each value at the paths, under which the resource can be asked for. Whether
// it holds the value is decided by the path.
func (e *entry) eachKey(paths []keyed, f func(key uint64) error) error {
	if len(paths) == 0 {
		return nil
	}
	attrs := e.attributes()
	e.decoded = attrs // nothing here changes it
	for _, k := range paths {
		for _, text := range keysOf(k.path.Get(attrs)) {
			if err := f(keyOf(e.ref.Kind, k.name, text)); err != nil {
				return err
			}
		}
	}
	return nil
}

var userName, _ = target.ParsePath("userName")

// valueKey is the hash of what is asked for.
func valueKey(kind target.Kind, name, value string) uint64 {
	return keyOf(kind, name, strings.ToLower(value))
}
