package scope

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A moment is a side of a comparison with a date: a fixed day or instant, or one that moves with the time.
type moment struct {
	first, last time.Time     // of a fixed one: of a day its first and its last instant
	days        int           // of a moving one: calendar days after now
	hours       time.Duration // and hours
	fixed       bool
}

// A span is what a date is compared with: BEFORE its first moment, AFTER its last one, WITHIN both.
type span struct {
	from, to moment
	zone     *time.Location
}

var movingMoment = regexp.MustCompile(`(?i)^now(?:\s*([+-])\s*([0-9]{1,6})\s*(h|d|w))?$`)

// spanSeparator is between the two moments of WITHIN.
const spanSeparator = " to "

// parseSpan reads the value of an operator on dates. canonical is its one spelling.
func parseSpan(op operator, text string, zone *time.Location) (s span, canonical string, err error) {
	s.zone = zone
	from, to, two := strings.Cut(text, spanSeparator)
	switch {
	case op == within && !two:
		return s, "", fmt.Errorf("%s needs two moments, such as: now - 30d to now + 3d", op)
	case op != within && two:
		return s, "", fmt.Errorf("%s compares with one moment, and %q has two", op, shorten(text))
	}
	first, err := s.from.parse(from, zone)
	if !two || err != nil {
		s.to = s.from
		return s, first, err
	}
	last, err := s.to.parse(to, zone)
	if err != nil {
		return s, "", err
	}
	backwards := s.from.fixed && s.to.fixed && s.to.last.Before(s.from.first)
	if !s.from.fixed && !s.to.fixed {
		backwards = s.to.hours+24*time.Hour*time.Duration(s.to.days) < s.from.hours+24*time.Hour*time.Duration(s.from.days)
	}
	if backwards {
		return s, "", fmt.Errorf("no date is within %q: the second moment is the earlier one", shorten(text))
	}
	return s, first + spanSeparator + last, nil
}

// parse reads one moment and returns its canonical spelling.
func (m *moment) parse(text string, zone *time.Location) (canonical string, err error) {
	text = strings.TrimSpace(text)
	if parts := movingMoment.FindStringSubmatch(text); parts != nil {
		if parts[1] == "" {
			return "now", nil
		}
		n, _ := strconv.Atoi(parts[2]) // six digits fit
		unit := strings.ToLower(parts[3])
		canonical = fmt.Sprintf("now %s %d%s", parts[1], n, unit)
		if parts[1] == "-" {
			n = -n
		}
		switch unit {
		case "h":
			m.hours = time.Duration(n) * time.Hour
		case "w":
			m.days = 7 * n
		default:
			m.days = n
		}
		return canonical, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		m.fixed, m.first, m.last = true, day, day.AddDate(0, 0, 1).Add(-1)
		return text, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		m.fixed, m.first, m.last = true, at, at
		return at.UTC().Format(time.RFC3339Nano), nil
	}
	return "", fmt.Errorf("%q is no moment; write now, now + 3d, now - 12h, now + 2w, a day such as 2026-12-01, or an instant such as 2026-12-01T09:00:00Z", shorten(text))
}

// change returns when a moving moment reaches a date: from then on the date counts as past it.
func (m *moment) change(date time.Time, zone *time.Location) time.Time {
	return date.In(zone).AddDate(0, 0, -m.days).Add(-m.hours)
}

// starts reports whether a date is at the moment or later; ends whether it is at the moment or earlier. A date that a
// moving moment has just reached is past it.
func (m *moment) starts(date, now time.Time, zone *time.Location) bool {
	if m.fixed {
		return !date.Before(m.first)
	}
	return now.Before(m.change(date, zone))
}

func (m *moment) ends(date, now time.Time, zone *time.Location) bool {
	if m.fixed {
		return !date.After(m.last)
	}
	return !now.Before(m.change(date, zone))
}

// match compares a date. It is Invalid when the value is no date.
func (s *span) match(op operator, v Value, now time.Time) Verdict {
	date, err := parseDate(v, s.zone)
	if err != nil {
		return Invalid
	}
	switch op {
	case before:
		return in(!s.from.starts(date, now, s.zone))
	case after:
		return in(!s.to.ends(date, now, s.zone))
	}
	return in(s.from.starts(date, now, s.zone) && s.to.ends(date, now, s.zone))
}

// next returns the first time after now at which match may say something else; zero for never.
func (s *span) next(v Value, now time.Time) (next time.Time) {
	date, err := parseDate(v, s.zone)
	if err != nil {
		return next
	}
	for _, m := range [...]*moment{&s.from, &s.to} {
		if at := m.change(date, s.zone); !m.fixed && at.After(now) {
			next = earlier(next, at)
		}
	}
	return next
}

// earlier returns the earlier of two times, of which a zero one is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

var (
	errNoDate = errors.New("not a date")
	midnight  = []byte("T00:00:00Z")
)

// parseDate reads a date as Graph writes it (Edm.DateTimeOffset, or a day). Midnight in UTC is how Microsoft Entra
// stores a day without a time: such a day begins at midnight in the filter's zone.
func parseDate(v Value, zone *time.Location) (time.Time, error) {
	if v.Kind != Text {
		return time.Time{}, errNoDate
	}
	text := v.Text
	if at, ok := bytes.CutSuffix(text, midnight); ok {
		text = at
	}
	if len(text) == len(time.DateOnly) {
		return time.ParseInLocation(time.DateOnly, string(text), zone)
	}
	return time.Parse(time.RFC3339, string(text))
}
