package admin

import (
	"io"
	"sync"
)

// A spool takes what is written at once and passes it on as fast as the other end takes it.
type spool struct {
	mu    sync.Mutex // guards kept and ended
	more  *sync.Cond
	kept  [][]byte
	ended bool
	done  chan struct{}
}

func newSpool(to io.Writer) *spool {
	s := &spool{done: make(chan struct{})}
	s.more = sync.NewCond(&s.mu)
	go s.pass(to)
	return s
}

func (s *spool) write(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, p)
	s.more.Signal()
}

// close returns when all has been passed on.
func (s *spool) close() {
	s.mu.Lock()
	s.ended = true
	s.more.Signal()
	s.mu.Unlock()
	<-s.done
}

func (s *spool) pass(to io.Writer) {
	defer close(s.done)
	for {
		s.mu.Lock()
		for len(s.kept) == 0 && !s.ended {
			s.more.Wait()
		}
		kept := s.kept
		s.kept = nil
		s.mu.Unlock()
		if len(kept) == 0 {
			return
		}
		for _, p := range kept {
			if _, err := to.Write(p); err != nil {
				to = io.Discard // a closed pipe; the command's own end is still awaited
			}
		}
	}
}
