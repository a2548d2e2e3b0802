package kv

// An Arena is memory for values that are put into a transaction. They are kept until it ends, so they are never
// moved or reused. The zero value is empty.
type Arena struct{ buf []byte }

const arenaChunk = 64 << 10

// Begin returns room for a value of at most n bytes, to be appended to. Only one value is built at a time.
func (a *Arena) Begin(n int) []byte {
	if cap(a.buf)-len(a.buf) < n {
		a.buf = make([]byte, 0, max(n, arenaChunk))
	}
	return a.buf[len(a.buf):]
}

// End keeps a value that was built in the room of Begin, and returns it.
func (a *Arena) End(value []byte) []byte {
	a.buf = a.buf[:len(a.buf)+len(value)]
	return value[:len(value):len(value)]
}

// GiveBack returns the room of the value that was kept last.
func (a *Arena) GiveBack(value []byte) { a.buf = a.buf[:len(a.buf)-len(value)] }

// Extend returns a value with n more bytes behind it, in place when the value was kept last.
func (a *Arena) Extend(value []byte, n int) []byte {
	size, end := len(value), len(a.buf)
	if size == 0 || end < size || &a.buf[end-1] != &value[size-1] || cap(a.buf)-end < n {
		a.End(append(a.Begin(size+n), value...))
		end = len(a.buf)
	}
	a.buf = a.buf[:end+n]
	return a.buf[end-size : end+n : end+n]
}
