package postgres

import "time"

// SetClock has a server take the time from elsewhere.
func (s *Server) SetClock(clock func() time.Time) { s.clock = clock }
