package mapping

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// A dateFormat is a .NET custom date and time format in the invariant culture.
type dateFormat []dateToken

// A dateToken is a run of one format letter, or literal text (letter 0).
type dateToken struct {
	letter byte
	count  int
	text   string
}

// standardFormats are .NET's one-letter formats in the invariant culture.
var standardFormats = map[string]string{
	"d": "MM/dd/yyyy", "D": "dddd, dd MMMM yyyy", "t": "HH:mm", "T": "HH:mm:ss", "f": "dddd, dd MMMM yyyy HH:mm",
	"F": "dddd, dd MMMM yyyy HH:mm:ss", "g": "MM/dd/yyyy HH:mm", "G": "MM/dd/yyyy HH:mm:ss", "m": "MMMM dd", "M": "MMMM dd",
	"o": "yyyy-MM-ddTHH:mm:ss.fffffffK", "O": "yyyy-MM-ddTHH:mm:ss.fffffffK", "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
	"R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'", "s": "yyyy-MM-ddTHH:mm:ss", "u": "yyyy-MM-dd HH:mm:ssZ", "U": "dddd, dd MMMM yyyy HH:mm:ss",
	"y": "yyyy MMMM", "Y": "yyyy MMMM",
}

const maxDateFormat = 1000 // bytes

func compileDateFormat(text string) (dateFormat, error) {
	if text == "" {
		return nil, fmt.Errorf("the date format is empty")
	}
	if len(text) > maxDateFormat {
		return nil, fmt.Errorf("the date format has %d bytes, more than %d", len(text), maxDateFormat)
	}
	if standard, ok := standardFormats[text]; ok {
		text = standard
	} else if utf8.RuneCountInString(text) == 1 && text[0]|0x20 >= 'a' && text[0]|0x20 <= 'z' {
		return nil, fmt.Errorf("%q is not a date format of one letter; write %%%s for the letter alone", text, text)
	}
	var f dateFormat
	literal := func(s string) {
		if last := len(f) - 1; last >= 0 && f[last].letter == 0 {
			f[last].text += s
			return
		}
		f = append(f, dateToken{text: s})
	}
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case strings.IndexByte("dfFgGhHKmMstyz", c) >= 0 && c != 'G':
			count := 1
			for i+count < len(text) && text[i+count] == c && c != 'K' {
				count++
			}
			if (c == 'f' || c == 'F') && count > 7 {
				return nil, fmt.Errorf("the date format %.60q has more than 7 digits of a second", text)
			}
			f = append(f, dateToken{letter: c, count: count})
			i += count
		case c == '\'' || c == '"':
			end := strings.IndexByte(text[i+1:], c)
			if end < 0 {
				return nil, fmt.Errorf("the date format %.60q has a quote without its end", text)
			}
			literal(text[i+1 : i+1+end])
			i += end + 2
		case c == '\\':
			if i+1 == len(text) {
				return nil, fmt.Errorf(`the date format %.60q ends in a backslash`, text)
			}
			_, width := utf8.DecodeRuneInString(text[i+1:])
			literal(text[i+1 : i+1+width])
			i += 1 + width
		case c == '%':
			if i++; i == len(text) || text[i] == '%' {
				return nil, fmt.Errorf("the date format %.60q has a %% without a letter", text)
			}
		default:
			_, width := utf8.DecodeRuneInString(text[i:])
			literal(text[i : i+width])
			i += width
		}
	}
	return f, nil
}

// format writes an instant in UTC. zoned says that the instant came with a zone, for K.
func (f dateFormat) format(ticks int64, zoned bool) string {
	t := timeOf(ticks)
	var b strings.Builder
	for i, token := range f {
		switch token.letter {
		case 0:
			text := token.text
			if zeros := ticks%ticksPerSecond == 0; zeros && i+1 < len(f) && f[i+1].letter == 'F' {
				text = strings.TrimSuffix(text, ".") // as .NET: no point before a fraction of nothing
			}
			b.WriteString(text)
		case 'd':
			switch {
			case token.count <= 2:
				pad(&b, t.Day(), token.count)
			case token.count == 3:
				b.WriteString(t.Weekday().String()[:3])
			default:
				b.WriteString(t.Weekday().String())
			}
		case 'M':
			switch {
			case token.count <= 2:
				pad(&b, int(t.Month()), token.count)
			case token.count == 3:
				b.WriteString(t.Month().String()[:3])
			default:
				b.WriteString(t.Month().String())
			}
		case 'y':
			if token.count <= 2 {
				pad(&b, t.Year()%100, token.count)
			} else {
				pad(&b, t.Year(), token.count)
			}
		case 'h':
			pad(&b, (t.Hour()+11)%12+1, min(token.count, 2))
		case 'H':
			pad(&b, t.Hour(), min(token.count, 2))
		case 'm':
			pad(&b, t.Minute(), min(token.count, 2))
		case 's':
			pad(&b, t.Second(), min(token.count, 2))
		case 't':
			b.WriteString(t.Format("PM")[:min(token.count, 2)])
		case 'f', 'F':
			digits := fmt.Sprintf("%07d", ticks%ticksPerSecond)[:token.count]
			if token.letter == 'F' {
				digits = strings.TrimRight(digits, "0")
			}
			b.WriteString(digits)
		case 'g':
			b.WriteString("A.D.")
		case 'K':
			if zoned {
				b.WriteByte('Z')
			}
		case 'z':
			b.WriteString([]string{"+0", "+00", "+00:00"}[min(token.count, 3)-1])
		}
	}
	return b.String()
}

func pad(b *strings.Builder, value, width int) { fmt.Fprintf(b, "%0*d", width, value) }

// parse reads a text that has exactly this format, as .NET's ParseExact. Parts of the date
// that the format lacks are those of now. A text with an offset means that instant.
func (f dateFormat) parse(text string, now time.Time) (ticks int64, zoned, ok bool) {
	p := scanner{rest: text}
	var (
		year, month, day, hour, minute, second = -1, -1, -1, 0, 0, 0
		fraction, offset                       int64
		weekday                                = -1
		half                                   = ""
	)
	for i, token := range f {
		ok := true
		switch token.letter {
		case 0:
			if ok = p.take(token.text); !ok && i+1 < len(f) && f[i+1].letter == 'F' {
				ok = p.take(strings.TrimSuffix(token.text, "."))
			}
			zoned = zoned || ok && strings.HasSuffix(token.text, "Z")
		case 'd':
			switch {
			case token.count <= 2:
				day, ok = p.digits(token.count)
			default:
				weekday, ok = p.name(token.count == 3, 7, func(i int) string { return time.Weekday(i).String() })
			}
		case 'M':
			switch {
			case token.count <= 2:
				month, ok = p.digits(token.count)
			default:
				month, ok = p.name(token.count == 3, 12, func(i int) string { return time.Month(i + 1).String() })
				month++
			}
		case 'y':
			var width int
			switch year, width = p.number(max(token.count, 2)); {
			case token.count <= 2:
				ok = width == 2 || width == 1 && token.count == 1
				if year += 2000; year > 2049 {
					year -= 100
				}
			default:
				ok = width == token.count || token.count == 3 && width > 0
			}
		case 'h', 'H':
			hour, ok = p.digits(min(token.count, 2))
			if token.letter == 'h' {
				ok = ok && hour <= 12
			}
		case 'm':
			minute, ok = p.digits(min(token.count, 2))
		case 's':
			second, ok = p.digits(min(token.count, 2))
		case 't':
			width := min(token.count, 2)
			switch {
			case p.takeFold("AM"[:width]):
				half = "AM"
			case p.takeFold("PM"[:width]):
				half = "PM"
			default:
				ok = false
			}
		case 'f':
			fraction, ok = p.fraction(token.count, token.count)
		case 'F':
			fraction, _ = p.fraction(0, token.count)
		case 'g':
			ok = p.takeFold("A.D.") || p.takeFold("AD")
		case 'K', 'z':
			before := len(p.rest)
			if token.letter == 'z' && strings.HasPrefix(strings.ToUpper(p.rest), "Z") {
				return 0, false, false
			}
			offset, ok = p.offset()
			zoned = zoned || before != len(p.rest)
			ok = ok && (token.letter == 'K' || before != len(p.rest))
		}
		if !ok {
			return 0, false, false
		}
	}
	if p.rest != "" {
		return 0, false, false
	}
	switch {
	case half == "PM" && hour < 12:
		hour += 12
	case half == "AM" && hour == 12:
		hour = 0
	case half != "" && hour > 12 && half == "AM":
		return 0, false, false
	}
	now = now.UTC()
	if year < 0 && month < 0 && day < 0 {
		month, day = int(now.Month()), now.Day()
	}
	if year < 0 {
		year = now.Year()
	}
	if month < 0 {
		month = 1
	}
	if day < 0 {
		day = 1
	}
	date, ok := dateTicks(year, month, day)
	clock, valid := clockTicks(hour, minute, second, fraction)
	if !ok || !valid || weekday >= 0 && int(timeOf(date).Weekday()) != weekday {
		return 0, false, false
	}
	ticks = date + clock - offset
	return ticks, zoned, validTicks(ticks)
}

// digits takes one or two digits, or exactly two.
func (p *scanner) digits(count int) (int, bool) {
	value, width := p.number(2)
	return value, width >= count
}

// name takes one of count English names, or its first three letters, in any case.
func (p *scanner) name(short bool, count int, name func(int) string) (int, bool) {
	for i := range count {
		s := name(i)
		if short {
			s = s[:3]
		}
		if p.takeFold(s) {
			return i, true
		}
	}
	return 0, false
}

// dateStyles are .NET's DateTimeStyles. Only white space matters here: a text without a zone
// is UTC whatever the style, and the result is in UTC.
var dateStyles = map[string]bool{
	"none": false, "allowleadingwhite": true, "allowtrailingwhite": true, "allowinnerwhite": false, "allowwhitespaces": true,
	"assumelocal": false, "assumeuniversal": false, "adjusttouniversal": false, "nocurrentdatedefault": false, "roundtripkind": false,
}

// trimFor removes the white space that styles allow at the ends.
func trimFor(styles, s string) (string, error) {
	if styles == "" {
		return strings.TrimSpace(s), nil
	}
	for _, style := range strings.FieldsFunc(styles, func(c rune) bool { return c == ',' || c == '|' || c == ' ' }) {
		trims, known := dateStyles[strings.ToLower(style)]
		switch {
		case !known:
			return "", fmt.Errorf("%.40q is not a date and time style", style)
		case !trims:
		case strings.EqualFold(style, "AllowLeadingWhite"):
			s = strings.TrimLeft(s, " \t\r\n")
		case strings.EqualFold(style, "AllowTrailingWhite"):
			s = strings.TrimRight(s, " \t\r\n")
		default:
			s = strings.TrimSpace(s)
		}
	}
	return s, nil
}

// preparedFormats are the formats of a FormatDateTime that are constant; nil where not.
type preparedFormats struct{ input, output dateFormat }

// formatArguments returns where styles (-1: none), input and output format stand.
func (n *call) formatArguments() (styles, input, output int) {
	if len(n.args) == 3 {
		return -1, 1, 2
	}
	return 1, 2, 3
}

func checkFormatDateTime(n *call) error {
	styles, input, output := n.formatArguments()
	if !n.has(output) {
		return &Error{Kind: Arity, Column: n.of.column, Message: "FormatDateTime needs an outputFormat", Hint: "it is " + n.fn.signature()}
	}
	var prepared preparedFormats
	for i, to := range map[int]*dateFormat{input: &prepared.input, output: &prepared.output} {
		if text, ok := n.constantText(i); ok {
			f, err := compileDateFormat(text)
			if err != nil {
				return n.fail(TypeMismatch, "%v", err)
			}
			*to = f
		}
	}
	if text, ok := n.constantText(styles); ok && styles > 0 {
		if _, err := trimFor(text, ""); err != nil {
			return n.fail(TypeMismatch, "%v", err)
		}
	}
	n.prepared = &prepared
	return nil
}

func evalFormatDateTime(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	if err != nil || v.typ == Null {
		return Value{}, err
	}
	prepared := n.prepared.(*preparedFormats)
	stylesAt, inputAt, outputAt := n.formatArguments()
	output := prepared.output
	if output == nil {
		text, ok, err := n.str(r, outputAt)
		if err != nil || !ok {
			return Value{}, err
		}
		if output, err = compileDateFormat(text); err != nil {
			return Value{}, n.fail(TypeMismatch, "%v", err)
		}
	}
	if v.typ == Date {
		return StringValue(output.format(v.num, true)), nil
	}
	styles := ""
	if stylesAt > 0 {
		if styles, _, err = n.str(r, stylesAt); err != nil {
			return Value{}, err
		}
	}
	input, inputText := prepared.input, ""
	if n.has(inputAt) {
		if inputText, _, err = n.str(r, inputAt); err != nil {
			return Value{}, err
		}
		if input == nil {
			if input, err = compileDateFormat(inputText); err != nil {
				return Value{}, n.fail(TypeMismatch, "%v", err)
			}
		}
	}
	return n.each(r, v, func(s string) (Value, error) {
		trimmed, err := trimFor(styles, s)
		if err != nil {
			return Value{}, n.fail(TypeMismatch, "%v", err)
		}
		if input == nil {
			ticks, ok := parseDate(trimmed)
			if !ok {
				return Value{}, n.fail(TypeMismatch, "%s is not a date", r.quote(s))
			}
			return StringValue(output.format(ticks, true)), nil
		}
		ticks, zoned, ok := input.parse(trimmed, r.now())
		if !ok {
			return Value{}, n.fail(TypeMismatch, "%s is not a date of the format %.60q", r.quote(s), inputText)
		}
		return StringValue(output.format(ticks, zoned)), nil
	})
}
