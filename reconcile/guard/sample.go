package guard

import (
	"fmt"
	"strings"
)

// A Sample is the first few of many names.
type Sample struct {
	names []string
	N     int
}

// Add counts a name.
func (s *Sample) Add(name string) {
	if s.N++; len(s.names) < SampleSize {
		s.names = append(s.names, name)
	}
}

// String returns the names and how many more there are.
func (s *Sample) String() string {
	text := strings.Join(s.names, ", ")
	if more := s.N - len(s.names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// SampleSize is how many names a hold shows.
const SampleSize = 10
