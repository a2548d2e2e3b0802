package mapping

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func evalAppend(r *run, n *call) (Value, error) { return n.affix(r, 0, 1) }

func evalPrepend(r *run, n *call) (Value, error) { return n.affix(r, 1, 0) }

// affix joins the argument at source with the text at affix, in the order of the arguments.
func (n *call) affix(r *run, source, affix int) (Value, error) {
	v, err := n.arg(r, source)
	if err != nil {
		return Value{}, err
	}
	s, ok, err := n.str(r, affix)
	if err != nil || !ok {
		return Value{}, err
	}
	if v.typ == String {
		return StringValue(join2(v.text, s, source < affix)), nil
	}
	return n.each(r, v, func(t string) (Value, error) { return StringValue(join2(t, s, source < affix)), nil })
}

func join2(source, affix string, first bool) string {
	if first {
		return source + affix
	}
	return affix + source
}

func evalJoin(r *run, n *call) (Value, error) {
	separator, _, err := n.str(r, 0)
	if err != nil {
		return Value{}, err
	}
	var space [8]string
	parts, size := space[:0], 0
	for i := 1; i < len(n.args); i++ {
		v, err := n.arg(r, i)
		if err != nil {
			return Value{}, err
		}
		switch {
		case v.typ == Object:
			return Value{}, n.fail(TypeMismatch, "Join cannot join complex values")
		case v.typ == List:
			for _, item := range v.more.list {
				if item.typ == Object {
					return Value{}, n.fail(TypeMismatch, "Join cannot join complex values")
				}
				if s := item.Text(); s != "" {
					parts, size = append(parts, s), size+len(s)+len(separator)
				}
			}
		default:
			if s := v.Text(); s != "" {
				parts, size = append(parts, s), size+len(s)+len(separator)
			}
		}
	}
	if err := r.spend(size, n.of.column); err != nil {
		return Value{}, err
	}
	return StringValue(strings.Join(parts, separator)), nil
}

func evalLeft(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	if err != nil || v.typ == Null {
		return StringValue(""), err
	}
	count, ok, err := n.integer(r, 1)
	if err != nil || !ok {
		return Value{}, err
	}
	return n.each(r, v, func(s string) (Value, error) {
		if count < 0 {
			return StringValue(s), nil
		}
		return StringValue(units(s, 0, count)), nil
	})
}

func evalMid(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	if err != nil || v.typ == Null {
		return StringValue(""), err
	}
	start, ok, err := n.integer(r, 1)
	if err != nil || !ok {
		return Value{}, err
	}
	length, ok, err := n.integer(r, 2)
	if err != nil || !ok {
		return Value{}, err
	}
	return n.each(r, v, func(s string) (Value, error) {
		switch {
		case length == 0:
			return StringValue(""), nil
		case length < 0 || start <= 0 || start > int64(unitCount(s)):
			return StringValue(s), nil
		}
		return StringValue(units(s, start-1, length)), nil
	})
}

// unitCount returns the length in UTF-16 code units, .NET's measure.
func unitCount(s string) int {
	count := 0
	for _, c := range s {
		count += utf16.RuneLen(c)
	}
	return count
}

// units returns count UTF-16 code units of s from an offset. A character cut in half becomes
// U+FFFD, as .NET writes half of a surrogate pair.
func units(s string, from, count int64) string {
	if ascii(s) {
		from = min(from, int64(len(s)))
		return s[from:min(from+min(count, int64(len(s))), int64(len(s)))]
	}
	var b strings.Builder
	at, end := int64(0), from+min(count, int64(len(s))) // len(s) is never less than the units
	for _, c := range s {
		width := int64(utf16.RuneLen(c))
		switch {
		case at >= from && at+width <= end:
			b.WriteRune(c)
		case at+width > from && at < end:
			b.WriteRune(utf8.RuneError)
		}
		at += width
	}
	return b.String()
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func evalInStr(r *run, n *call) (Value, error) {
	s, ok, err := n.str(r, 0)
	if err != nil || !ok {
		return Value{}, err
	}
	find, ok, err := n.str(r, 1)
	if err != nil || !ok {
		return Value{}, err
	}
	start := int64(1)
	if n.has(2) {
		if start, ok, err = n.integer(r, 2); err != nil || !ok {
			return Value{}, err
		}
		if start < 1 {
			return Value{}, n.fail(Range, "start of InStr is %d; the first character is 1", start)
		}
	}
	if n.has(3) {
		mode, _, err := n.str(r, 3)
		if err != nil {
			return Value{}, err
		}
		switch {
		case strings.EqualFold(mode, "vbTextCompare") || mode == "1":
			s, find = strings.Map(foldRune, s), strings.Map(foldRune, find)
		case strings.EqualFold(mode, "vbBinaryCompare") || mode == "0" || mode == "":
		default:
			return Value{}, n.fail(TypeMismatch, "compareType of InStr is %s, not vbTextCompare or vbBinaryCompare", r.quote(mode))
		}
	}
	skip := 0 // bytes before start
	for at := int64(1); at < start; {
		c, width := utf8.DecodeRuneInString(s[skip:])
		if width == 0 {
			return IntValue(0), nil
		}
		skip, at = skip+width, at+int64(utf16.RuneLen(c))
	}
	found := strings.Index(s[skip:], find)
	if found < 0 || s == "" {
		return IntValue(0), nil
	}
	return IntValue(int64(unitCount(s[:skip+found]) + 1)), nil
}

// foldRune maps letters that differ by case only to one of them.
func foldRune(c rune) rune { return unicode.ToLower(unicode.ToUpper(c)) }

func evalToLower(r *run, n *call) (Value, error) {
	return n.changeCase(r, lower, unicode.TurkishCase.ToLower)
}

func evalToUpper(r *run, n *call) (Value, error) {
	return n.changeCase(r, upper, unicode.TurkishCase.ToUpper)
}

func (n *call) changeCase(r *run, invariant func(string) string, turkish func(rune) rune) (Value, error) {
	culture, ok, err := n.str(r, 1)
	if err != nil {
		return Value{}, err
	}
	if !ok || culture == "" {
		return n.mapText(r, invariant)
	}
	if !cultureName.MatchString(culture) {
		return Value{}, n.badCulture(culture)
	}
	switch language, _, _ := strings.Cut(strings.ToLower(culture), "-"); language {
	case "tr", "az":
		return n.mapText(r, func(s string) string { return strings.Map(turkish, s) })
	}
	return n.mapText(r, invariant)
}

// cultureName is the form of RFC 4646 names; which of them exist is not checked.
var cultureName = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

func (n *call) badCulture(name string) error {
	return n.fail(TypeMismatch, "%.40q is not the name of a culture, such as tr-TR", name)
}

func checkCulture(n *call) error {
	if name, ok := n.constantText(1); ok && name != "" && !cultureName.MatchString(name) {
		return n.badCulture(name)
	}
	return nil
}

// lower and upper are .NET's invariant casing: one letter to one letter, with the Turkish
// letters İ and ı left alone.
func lower(s string) string {
	if !strings.ContainsRune(s, 'İ') {
		return strings.ToLower(s)
	}
	return strings.Map(func(c rune) rune {
		if c == 'İ' {
			return c
		}
		return unicode.ToLower(c)
	}, s)
}

func upper(s string) string {
	if !strings.ContainsRune(s, 'ı') {
		return strings.ToUpper(s)
	}
	return strings.Map(func(c rune) rune {
		if c == 'ı' {
			return c
		}
		return unicode.ToUpper(c)
	}, s)
}

func evalPCase(r *run, n *call) (Value, error) {
	separators, ok, err := n.str(r, 1)
	if err != nil {
		return Value{}, err
	}
	if !ok {
		return n.mapText(r, titleCase)
	}
	if err := r.spend(len(separators), n.of.column); err != nil {
		return Value{}, err
	}
	set := runeSet(separators)
	return n.mapText(r, func(s string) string {
		start := true
		return strings.Map(func(c rune) rune {
			begin := start
			start = set[c]
			if begin {
				return unicode.ToTitle(c)
			}
			return unicode.ToLower(c)
		}, s)
	})
}

func runeSet(s string) map[rune]bool {
	set := make(map[rune]bool, len(s))
	for _, c := range s {
		set[c] = true
	}
	return set
}

// titleCase is .NET's TextInfo.ToTitleCase on lower-cased text. A word begins at a letter and
// ends at a separator: digits, marks and symbols outside of these categories belong to it.
func titleCase(s string) string {
	inWord := false
	return strings.Map(func(c rune) rune {
		c = unicode.ToLower(c)
		switch {
		case unicode.IsLetter(c):
			if inWord {
				return c
			}
			inWord = true
			return unicode.ToTitle(c)
		case inWord && c != '\'' && isSeparator(c):
			inWord = false
		}
		return c
	}, s)
}

func isSeparator(c rune) bool {
	return unicode.In(c, unicode.Zs, unicode.Zl, unicode.Zp, unicode.Cc, unicode.Cf, unicode.Pc, unicode.Pd, unicode.Ps, unicode.Pe,
		unicode.Pi, unicode.Pf, unicode.Po, unicode.Sm, unicode.Sc, unicode.Sk, unicode.So)
}

func evalStripSpaces(r *run, n *call) (Value, error) {
	return n.mapText(r, func(s string) string { return strings.ReplaceAll(s, " ", "") })
}

func evalTrim(r *run, n *call) (Value, error) { return n.mapText(r, strings.TrimSpace) }

func evalNormalizeDiacritics(r *run, n *call) (Value, error) {
	return n.mapText(r, normalizeDiacritics)
}

// spelledOut are the letters of the documented table that Unicode does not decompose.
var spelledOut = map[rune]string{'æ': "ae", 'Æ': "AE", 'ø': "oe", 'Ø': "OE", 'œ': "oe", 'Œ': "OE", 'ß': "ss", 'ł': "l", 'Ł': "L", 'ı': "i"}

// diacritics are the marks that belong to no script of their own. Marks that do (kana voicing,
// Indic vowels) are letters to their readers, and stay.
var diacritics = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x0300, Hi: 0x036F, Stride: 1}, {Lo: 0x1AB0, Hi: 0x1AFF, Stride: 1}, {Lo: 0x1DC0, Hi: 0x1DFF, Stride: 1},
	{Lo: 0x20D0, Hi: 0x20FF, Stride: 1}, {Lo: 0xFE20, Hi: 0xFE2F, Stride: 1},
}}

func normalizeDiacritics(s string) string {
	if ascii(s) {
		return s
	}
	var b strings.Builder
	for _, c := range norm.NFD.String(s) {
		if unicode.Is(diacritics, c) {
			continue
		}
		if spelled, ok := spelledOut[c]; ok {
			b.WriteString(spelled)
			continue
		}
		b.WriteRune(c)
	}
	return norm.NFC.String(b.String())
}

func evalWord(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	if err != nil || v.typ == Null {
		return StringValue(""), err
	}
	number, ok, err := n.integer(r, 1)
	if err != nil || !ok {
		return Value{}, err
	}
	delimiters, _, err := n.str(r, 2)
	if err != nil {
		return Value{}, err
	}
	set := runeSet(delimiters)
	return n.each(r, v, func(s string) (Value, error) {
		words := strings.FieldsFunc(s, func(c rune) bool { return set[c] })
		if number < 1 || number > int64(len(words)) {
			return StringValue(""), nil
		}
		return StringValue(words[number-1]), nil
	})
}

func evalCStr(r *run, n *call) (Value, error) {
	return n.mapText(r, func(s string) string { return s })
}
