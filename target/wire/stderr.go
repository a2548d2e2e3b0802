package wire

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"sync"

	"entrasync/graphsync/redact"
	"entrasync/target"
)

// mostErrorLines is how much of one program's standard error is logged.
const mostErrorLines = 200

// An errorLog takes a program's standard error into the log, without secrets.
type errorLog struct {
	log    *slog.Logger
	redact redact.Redactor

	mu    sync.Mutex // protects last
	last  string
	lines int
}

// read logs lines until the stream ends. What is beyond the bounds is read all the same, so that the program is not
// held up by a full pipe.
func (e *errorLog) read(stderr io.Reader) {
	lines := bufio.NewReaderSize(stderr, 4096)
	for cut := false; ; {
		line, err := lines.ReadSlice('\n')
		if text := target.Clean(e.redact.Text(string(line))); text != "" && !cut {
			e.add(text)
		}
		cut = errors.Is(err, bufio.ErrBufferFull) // the rest of a long line is left out
		if err != nil && !cut {
			return
		}
	}
}

func (e *errorLog) add(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = text
	switch e.lines++; {
	case e.lines <= mostErrorLines:
		e.log.Warn("the target's program says", "line", text)
	case e.lines == mostErrorLines+1:
		e.log.Warn("the target's program says more than is logged", "lines", mostErrorLines)
	}
}

// lastWords is the last line, for the error that says how the program ended.
func (e *errorLog) lastWords() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.last == "" {
		return ""
	}
	return "; its last words: " + e.last
}
