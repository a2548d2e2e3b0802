package sealed

import "bytes"

// A Rule says which part of a bucket's keys is hidden. A scan's prefix ends where a part does. The zero rule hides
// nothing: keys stay readable, and in their order.
//
// The hidden parts have no order: a scan yields keys in an order that is the same each time, and another with another key.
type Rule struct {
	Hides bool // a part is hidden
	Name  bool // of the keys the text to the first NUL and the byte behind it stay as they are
	Keep  int  // so many bytes at the beginning stay as they are
	Part  int  // so many bytes follow that are hidden together; 0: all but Tail
	Tail  int  // so many bytes at the end stay as they are; with Part all that follows does, or is a hidden part of its own
	Both  bool // what follows Part is hidden, too, as a part of its own
}

// A Rules returns the rule of a bucket by its path.
type Rules func(path string) Rule

// split returns the parts of a key: what stays, what is hidden, and what follows.
func (r Rule) split(key []byte) (keep, part, rest []byte) {
	n := min(r.Keep, len(key))
	if r.Name {
		n = min(bytes.IndexByte(key, 0)+2, len(key))
	}
	keep, rest = key[:n], key[n:]
	if r.Part > 0 {
		n = min(r.Part, len(rest))
	} else {
		n = max(len(rest)-r.Tail, 0)
	}
	return keep, rest[:n], rest[n:]
}

// hide returns the form of a key in the store.
func (r Rule) hide(h *hider, key []byte) []byte {
	if !r.Hides {
		return key
	}
	return r.join(h, key, false)
}

// prefix returns the form of the beginning of keys: with Tail it has all that is before it.
func (r Rule) prefix(h *hider, prefix []byte) []byte {
	if !r.Hides || len(prefix) == 0 {
		return prefix
	}
	return r.join(h, prefix, true)
}

func (r Rule) join(h *hider, key []byte, begins bool) []byte {
	if begins {
		r.Tail = 0
	}
	keep, part, rest := r.split(key)
	out := append(make([]byte, 0, len(key)+2*tagSize), keep...)
	if len(part) > 0 {
		out = h.hide(out, part)
	}
	if len(rest) == 0 {
		return out
	}
	if r.Both {
		return h.hide(out, rest)
	}
	return append(out, rest...)
}

// show returns the key of its form in the store; ok is false when it is none.
func (r Rule) show(h *hider, stored []byte) (key []byte, ok bool) {
	if !r.Hides {
		return stored, true
	}
	if r.Part > 0 {
		r.Part += tagSize
	}
	keep, part, rest := r.split(stored)
	out := append(make([]byte, 0, len(stored)), keep...)
	if ok = true; len(part) > 0 {
		out, ok = h.show(out, part)
	}
	switch {
	case !ok || len(rest) == 0:
		return out, ok
	case r.Both:
		return h.show(out, rest)
	}
	return append(out, rest...), true
}
