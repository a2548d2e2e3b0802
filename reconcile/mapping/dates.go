package mapping

import (
	"strconv"
	"strings"
	"time"
)

// Dates are .NET ticks: 100 nanoseconds since 0001-01-01 in UTC, up to the end of 9999.
const (
	ticksPerSecond = 10_000_000
	ticksPerDay    = 86_400 * ticksPerSecond
	unixEpoch      = 62_135_596_800 // in seconds
	maxTicks       = 3_155_378_975_999_999_999

	// fileTimeEpoch is 1601-01-01, where Windows FILETIME begins (MS-DTYP 2.3.3).
	fileTimeEpoch = 504_911_232_000_000_000
)

func ticksOf(t time.Time) int64 {
	return (t.Unix()+unixEpoch)*ticksPerSecond + int64(t.Nanosecond())/100
}

func timeOf(ticks int64) time.Time {
	return time.Unix(ticks/ticksPerSecond-unixEpoch, ticks%ticksPerSecond*100).UTC()
}

func validTicks(ticks int64) bool { return ticks >= 0 && ticks <= maxTicks }

// dateText is the form in which a date leaves the date functions.
func dateText(ticks int64) string { return timeOf(ticks).Format("1/2/2006 3:04:05 PM") }

// date evaluates argument i as an instant: a date, or text as CDate reads it.
func (n *call) date(r *run, i int) (ticks int64, ok bool, err error) {
	v, err := n.arg(r, i)
	if err != nil || v.typ == Null {
		return 0, false, err
	}
	if v.typ == Date {
		return v.num, true, nil
	}
	if v.typ == String {
		if ticks, ok := parseDate(v.text); ok {
			return ticks, true, nil
		}
	}
	return 0, false, n.fail(TypeMismatch, "%s is not a date such as 2025-12-31, 2025-12-31T23:59:59Z or 12/31/2025 11:59:59 PM", r.quote(v.Text()))
}

func evalNow(r *run, _ *call) (Value, error) { return dateValue(r.now()), nil }

func evalCDate(r *run, n *call) (Value, error) { return n.dateValue(r, 0) }

func (n *call) dateValue(r *run, i int) (Value, error) {
	ticks, ok, err := n.date(r, i)
	if err != nil || !ok {
		return Value{}, err
	}
	return Value{typ: Date, num: ticks}, nil
}

const intervalNames = "yyyy, m, d, ww, h, n and s"

func isInterval(s string) bool {
	switch s {
	case "yyyy", "m", "d", "ww", "h", "n", "s":
		return true
	}
	return false
}

func checkInterval(n *call) error {
	if s, ok := n.constantText(0); ok && !isInterval(s) {
		return n.fail(TypeMismatch, "%.20q is not an interval; they are %s", s, intervalNames)
	}
	return nil
}

// ticksOfInterval is the length of the intervals that have a fixed one.
func ticksOfInterval(interval string) int64 {
	switch interval {
	case "d":
		return ticksPerDay
	case "ww":
		return 7 * ticksPerDay
	case "h":
		return 3600 * ticksPerSecond
	case "n":
		return 60 * ticksPerSecond
	}
	return ticksPerSecond
}

func evalDateAdd(r *run, n *call) (Value, error) {
	interval, ok, err := n.str(r, 0)
	if err != nil || !ok {
		return Value{}, err
	}
	if !isInterval(interval) {
		return Value{}, n.fail(TypeMismatch, "%s is not an interval; they are %s", r.quote(interval), intervalNames)
	}
	count, ok, err := n.integer(r, 1)
	if err != nil || !ok {
		return Value{}, err
	}
	ticks, ok, err := n.date(r, 2)
	if err != nil || !ok {
		return Value{}, err
	}
	const most = 10_000 * 366 * 86_400 // seconds: more cannot stay within the calendar
	if count > most || count < -most {
		return Value{}, n.fail(Range, "the date leaves the years 1 to 9999")
	}
	switch interval {
	case "yyyy":
		ticks, ok = addMonths(ticks, 12*count)
	case "m":
		ticks, ok = addMonths(ticks, count)
	default:
		step := ticksOfInterval(interval)
		if ok = count <= maxTicks/step && count >= -maxTicks/step; ok {
			ticks += count * step
		}
	}
	if !ok || !validTicks(ticks) {
		return Value{}, n.fail(Range, "the date leaves the years 1 to 9999")
	}
	return Value{typ: Date, num: ticks}, nil
}

// addMonths stops at the month's end, as .NET's AddMonths does.
func addMonths(ticks, months int64) (int64, bool) {
	t := timeOf(ticks)
	total := int64(t.Year())*12 + int64(t.Month()) - 1 + months
	year, month := total/12, time.Month(total%12+1)
	if total < 12 || year > 9999 {
		return 0, false
	}
	day := min(t.Day(), daysIn(int(year), month))
	return ticksOf(time.Date(int(year), month, day, 0, 0, 0, 0, time.UTC)) + ticks%ticksPerDay, true
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func evalDateDiff(r *run, n *call) (Value, error) {
	interval, ok, err := n.str(r, 0)
	if err != nil || !ok {
		return Value{}, err
	}
	if !isInterval(interval) {
		return Value{}, n.fail(TypeMismatch, "%s is not an interval; they are %s", r.quote(interval), intervalNames)
	}
	from, ok, err := n.date(r, 1)
	if err != nil || !ok {
		return Value{}, err
	}
	to, ok, err := n.date(r, 2)
	if err != nil || !ok {
		return Value{}, err
	}
	switch interval {
	case "yyyy", "m":
		a, b := timeOf(from), timeOf(to)
		years, months := int64(b.Year()-a.Year()), int64(b.Month()-a.Month())
		if interval == "yyyy" {
			return IntValue(years), nil
		}
		return IntValue(12*years + months), nil
	case "ww":
		// Both dates go back to their Sunday, at the time of day they have.
		from -= int64(timeOf(from).Weekday()) * ticksPerDay
		to -= int64(timeOf(to).Weekday()) * ticksPerDay
	}
	return IntValue((to - from) / ticksOfInterval(interval)), nil
}

func evalDateFromNum(r *run, n *call) (Value, error) {
	number, ok, err := n.integer(r, 0)
	if err != nil || !ok {
		return Value{}, err
	}
	if number < 0 || number > maxTicks-fileTimeEpoch {
		return Value{}, n.fail(Range, "%d is not a FILETIME of the years 1601 to 9999", number)
	}
	return Value{typ: Date, num: number + fileTimeEpoch}, nil
}

func evalNumFromDate(r *run, n *call) (Value, error) {
	ticks, ok, err := n.date(r, 0)
	if err != nil || !ok {
		return Value{}, err
	}
	if ticks < fileTimeEpoch {
		return Value{}, n.fail(Range, "a FILETIME begins in the year 1601")
	}
	return StringValue(strconv.FormatInt(ticks-fileTimeEpoch, 10)), nil
}

// parseDate reads what CDate accepts. Without an offset the text means UTC.
func parseDate(s string) (int64, bool) {
	p := scanner{rest: strings.TrimSpace(s)}
	var year, month, day int
	first, width := p.number(4)
	switch {
	case width == 4 && (p.take("-") || p.take("/")):
		year = first
		month, _ = p.number(2)
		if !p.take("-") && !p.take("/") {
			return 0, false
		}
		if day, width = p.number(2); width == 0 {
			return 0, false
		}
	case width > 0 && width <= 2 && p.take("/"):
		month = first
		day, _ = p.number(2)
		if !p.take("/") {
			return 0, false
		}
		if year, width = p.number(4); width != 4 {
			return 0, false
		}
	default:
		return 0, false
	}
	var clock int64
	if p.take("T") || p.take("t") || p.spaces() {
		var ok bool
		if clock, ok = p.clock(); !ok {
			return 0, false
		}
	}
	offset, ok := p.offset()
	if !ok || p.rest != "" {
		return 0, false
	}
	ticks, ok := dateTicks(year, month, day)
	ticks += clock - offset
	return ticks, ok && validTicks(ticks)
}

func dateTicks(year, month, day int) (int64, bool) {
	if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > daysIn(year, time.Month(month)) {
		return 0, false
	}
	return ticksOf(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)), true
}

// A scanner takes text from the left.
type scanner struct{ rest string }

func (p *scanner) take(s string) bool {
	rest, ok := strings.CutPrefix(p.rest, s)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *scanner) takeFold(s string) bool {
	if len(p.rest) < len(s) || !strings.EqualFold(p.rest[:len(s)], s) {
		return false
	}
	p.rest = p.rest[len(s):]
	return true
}

// spaces takes white space and reports whether more follows it.
func (p *scanner) spaces() bool {
	trimmed := strings.TrimLeft(p.rest, " \t")
	found := trimmed != p.rest && trimmed != ""
	if found {
		p.rest = trimmed
	}
	return found
}

// number takes up to most digits and returns how many there were.
func (p *scanner) number(most int) (value, width int) {
	for width < most && width < len(p.rest) && p.rest[width] >= '0' && p.rest[width] <= '9' {
		value = value*10 + int(p.rest[width]-'0')
		width++
	}
	p.rest = p.rest[width:]
	return value, width
}

// fraction takes digits as a fraction of a second, in ticks; what is finer is cut off.
func (p *scanner) fraction(least, most int) (ticks int64, ok bool) {
	unit := int64(ticksPerSecond)
	width := 0
	for width < most && width < len(p.rest) && p.rest[width] >= '0' && p.rest[width] <= '9' {
		unit /= 10
		ticks += int64(p.rest[width]-'0') * unit
		width++
	}
	p.rest = p.rest[width:]
	return ticks, width >= least
}

// clock takes H:mm[:ss[.fffffff]][ tt].
func (p *scanner) clock() (int64, bool) {
	hour, width := p.number(2)
	if width == 0 || !p.take(":") {
		return 0, false
	}
	minute, width := p.number(2)
	if width == 0 {
		return 0, false
	}
	second, fraction := 0, int64(0)
	if p.take(":") {
		if second, width = p.number(2); width == 0 {
			return 0, false
		}
		if p.take(".") {
			var ok bool
			if fraction, ok = p.fraction(1, 20); !ok {
				return 0, false
			}
		}
	}
	before := p.rest
	p.rest = strings.TrimLeft(p.rest, " ")
	switch {
	case p.takeFold("AM"), p.takeFold("PM"):
		if hour > 12 {
			return 0, false
		}
		hour = hour % 12
		if before[len(before)-len(p.rest)-2]|0x20 == 'p' {
			hour += 12
		}
	case p.rest != "" && !strings.ContainsAny(p.rest[:1], "Zz+-"):
		p.rest = before
	}
	return clockTicks(hour, minute, second, fraction)
}

func clockTicks(hour, minute, second int, fraction int64) (int64, bool) {
	return int64(hour*3600+minute*60+second)*ticksPerSecond + fraction, hour < 24 && minute < 60 && second < 60
}

// offset takes Z, ±hh, ±hhmm or ±hh:mm, or nothing.
func (p *scanner) offset() (int64, bool) {
	if p.takeFold("Z") {
		return 0, true
	}
	sign := int64(1)
	switch {
	case p.take("-"):
		sign = -1
	case !p.take("+"):
		return 0, true
	}
	hours, width := p.number(2)
	if width == 0 {
		return 0, false
	}
	minutes := 0
	if colon := p.take(":"); colon || p.rest != "" && p.rest[0] >= '0' && p.rest[0] <= '9' {
		if minutes, width = p.number(2); width != 2 {
			return 0, false
		}
	}
	return sign * int64(hours*60+minutes) * 60 * ticksPerSecond, hours <= 14 && minutes < 60
}
