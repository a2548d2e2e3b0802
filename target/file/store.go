package file

import (
	"path/filepath"
)

// A store is the content: the published file and, over it, what the journal says. It holds neither in memory, but
// where they are.
type store struct {
	base *published
	log  *journal // nil: nothing was written since

	keys    *table            // places of records, by id and by the values at base.paths
	newest  *table            // the newest record of resources that have several, by their place
	touched []bool            // blocks of base with lines that the journal replaces
	groups  map[string]*entry // whose members this cycle changes
	members int               // of those
	again   bool              // a record is about a resource that was there before it
	deleted bool              // a record deletes

	readers int  // lists under way
	dropped bool // to be closed after them
}

// A place is that of a record in the journal, with a bit for resources that the published file has too and with a
// part of the hash of the resource's id.
type place uint64

const (
	offsetBits = 39
	inFile     = place(1) << offsetBits
	idHashBits = 24
)

func placeAt(offset int64, isPublished bool, id string) place {
	p := place(offset) | place(idHash(idKey(id)))<<(offsetBits+1)
	if isPublished {
		p |= inFile
	}
	return p
}

func (p place) offset() int64 { return int64(p & (inFile - 1)) }

func (p place) idHash() uint64 { return uint64(p >> (offsetBits + 1)) }

// idHash is what a place keeps of the hash of an id.
func idHash(key uint64) uint64 { return key >> (64 - idHashBits) }

// openStore reads the file.
func openStore(path string, sizes sizes) (*store, error) {
	base, err := readPublished(path, sizes)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	return &store{
		base: base, keys: newTable(dir, sizes.fresh), newest: newTable(dir, sizes.fresh),
		touched: make([]bool, len(base.starts)), groups: map[string]*entry{},
	}, nil
}

// close gives the files up, after the last list.
func (s *store) close() {
	if s.dropped = true; s.readers > 0 {
		return
	}
	s.base.close()
	s.keys.close()
	s.newest.close()
	if s.log != nil && s.log.over {
		s.log.file.Close()
	}
}
