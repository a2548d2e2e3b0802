package reconcile

import (
	"fmt"
	"strings"
)

// A sample is the first few of many names.
type sample struct {
	names []string
	n     int
}

func (s *sample) add(name string) {
	if s.n++; len(s.names) < sampleSize {
		s.names = append(s.names, name)
	}
}

// String returns the names and how many more there are.
func (s *sample) String() string {
	text := strings.Join(s.names, ", ")
	if more := s.n - len(s.names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// sampleSize is how many names a hold shows.
const sampleSize = 10
