package mapping

import (
	"slices"
	"strings"
)

// A function is one row of the table: what the language offers.
type function struct {
	name   string
	params []string // in order; "?" at the end: optional, "*": repeats
	doc    string
	min    int
	max    int // -1: any number

	eval func(r *run, n *call) (Value, error)
	// check looks at the constant arguments when the expression is compiled.
	check func(n *call) error
	// impure: the value depends on more than the arguments. random: it is another one each time.
	impure, random bool
	// decides lists the arguments whose value chooses but does not become the result.
	decides func(i int) bool
	// gaps: the required arguments that may be left empty.
	gaps []int
}

func (f *function) signature() string { return f.name + "(" + strings.Join(f.params, ", ") + ")" }
func (f *function) flows(i int) bool  { return f.decides == nil || !f.decides(i) }
func (f *function) omittable(i int) bool {
	return slices.Contains(f.gaps, i)
}

// A FunctionDoc describes a function to people.
type FunctionDoc struct{ Name, Signature, Doc string }

// Functions returns the language's functions, sorted by name.
func Functions() []FunctionDoc {
	docs := make([]FunctionDoc, len(functionNames))
	for i, name := range functionNames {
		docs[i] = FunctionDoc{name, functions[name].signature(), functions[name].doc}
	}
	return docs
}

func firstArgument(i int) bool { return i == 0 }

// functions is the language. "Open" in a doc marks what Microsoft's pages leave open.
var functions = table(
	// Text
	function{name: "Append", params: list("source, suffix"), eval: evalAppend,
		doc: "source followed by suffix. Open: null in either is null."},
	function{name: "Prepend", params: list("prefix, source"), eval: evalPrepend,
		doc: "source after prefix. Named by Graph only. Open: null in either is null."},
	function{name: "Join", params: list("separator, source*"), eval: evalJoin,
		doc: "The sources with the separator between them; a list counts as its elements. Open: null and empty sources are left out with their separator."},
	function{name: "Left", params: list("string, numChars"), eval: evalLeft,
		doc: "The first UTF-16 units of a text: 0 gives \"\", a negative number the whole text, null \"\"."},
	function{name: "Mid", params: list("source, start, length"), eval: evalMid,
		doc: "length UTF-16 units from the 1-based start. Open: length 0 and null give \"\"; a negative length or a start outside of the text give the whole text, as Connect sync does."},
	function{name: "InStr", params: list("value1, value2, start?, compareType?"), eval: evalInStr,
		doc: "The 1-based position of value2 in value1, 0 if absent. vbTextCompare ignores case; the default, vbBinaryCompare, does not."},
	function{name: "ToLower", params: list("source, culture?"), eval: evalToLower, check: checkCulture,
		doc: "Lower case by the invariant culture, letter by letter, or by a culture such as tr-TR."},
	function{name: "ToUpper", params: list("source, culture?"), eval: evalToUpper, check: checkCulture,
		doc: "Upper case by the invariant culture, letter by letter (ß stays), or by a culture such as tr-TR."},
	function{name: "PCase", params: list("source, wordSeparators?"), eval: evalPCase,
		doc: "Each word's first letter upper, the rest lower. Without separators .NET's ToTitleCase on lower-cased text. Open: an apostrophe does not begin a word there."},
	function{name: "StripSpaces", params: list("source"), eval: evalStripSpaces, doc: "Removes U+0020 only."},
	function{name: "Trim", params: list("source"), eval: evalTrim, doc: "Without white space at both ends. From the cloud-sync page."},
	function{name: "NormalizeDiacritics", params: list("source"), eval: evalNormalizeDiacritics,
		doc: "Without combining diacritical marks; æ, ø, œ, ß, ł and ı spelled out. Open: any letter, not only the documented table; marks that belong to a script (kana, Indic, Arabic, Hebrew) stay."},
	function{name: "Word", params: list("string, wordNumber, delimiters"), eval: evalWord,
		doc: "The word of that 1-based number, \"\" when there is none; each character of delimiters separates. Open: adjacent delimiters make no empty words."},
	function{name: "Replace", params: list("source, oldValue?, regexPattern?, regexGroupName?, replacementValue?, replacementAttributeName?, template?"),
		eval: evalReplace, check: checkReplace,
		doc: "Five uses, by which arguments are given: oldValue and replacementValue; oldValue and template; regexPattern and replacementValue; with regexGroupName, only what the group matched (open: by position); with replacementAttributeName, the group's match in the other attribute when source is empty."},
	function{name: "CStr", params: list("value"), eval: evalCStr, doc: "The value as text."},

	// Encodings
	function{name: "ConvertToBase64", params: list("source"), eval: evalToBase64, doc: "Base64 of the UTF-16LE bytes."},
	function{name: "ConvertFromBase64", params: list("source, encoding?"), eval: evalFromBase64,
		doc: "The text of Base64 in Unicode (UTF-16LE, default), ASCII or UTF8. From the cloud-sync page."},
	function{name: "ConvertToUTF8Hex", params: list("source"), eval: evalToUTF8Hex, doc: "Upper-case hexadecimal of the UTF-8 bytes."},
	function{name: "Guid", impure: true, random: true, eval: evalGuid, doc: "A new random GUID."},
	function{name: "RandomString", params: list("Length, MinimumNumbers, MinimumSpecialCharacters, MinimumCapital, MinimumLowerCase, CharactersToAvoid?"),
		impure: true, random: true, eval: evalRandomString, check: checkRandomString,
		doc: "Length random characters, at most 256, with at least so many of each sort. Specials appear only when asked for."},
	function{name: "DNComponent", params: list("dn, componentNumber"), eval: evalDNComponent,
		doc: "The value of the 1-based component of a distinguished name, from the left. From the cloud-sync page. Open: null when there are fewer."},
	function{name: "StringFromSid", params: list("sid"), eval: evalStringFromSid,
		doc: "A security identifier's bytes (in Base64) as S-1-... text. From the cloud-sync page. Open: S- text stays."},

	// Logic
	function{name: "IIF", params: list("condition, valueIfTrue, valueIfFalse"), eval: evalIIF, decides: firstArgument,
		gaps: []int{1, 2},
		doc:  "One of two values; only that one is evaluated. Comparisons are by number when both sides are numbers, else ordinal. Open: a comparison with null is false."},
	function{name: "Switch", params: list("source, defaultValue, key*, value*"), min: 2, eval: evalSwitch, gaps: []int{1},
		decides: func(i int) bool { return i != 1 && i%2 == 0 },
		doc:     "The value whose key equals source, exactly; else the default, which is null when omitted. Null equals the key \"\". Only what is needed is evaluated."},
	function{name: "Coalesce", params: list("source1, source*"), eval: evalCoalesce,
		doc: "The first source that is not null. Open: an empty one is passed over too, unless it is the last."},
	function{name: "Not", params: list("source"), eval: evalNot, doc: "False for True, True for everything else."},
	function{name: "CBool", params: list("expression"), eval: evalCBool,
		doc: "True for a number that is not zero and for the text True. Open: text that is neither a boolean nor a number is an error."},
	function{name: "BitAnd", params: list("value1, value2"), eval: evalBitAnd, doc: "The bits that both integers have."},
	function{name: "IsNull", params: list("expression"), eval: evalIsNull, doc: "True when absent."},
	function{name: "IsNothing", params: list("source"), eval: evalIsNull, doc: "True when absent. Named by Graph only."},
	function{name: "IsNullOrEmpty", params: list("expression"), eval: evalIsNullOrEmpty, doc: "True when absent or empty."},
	function{name: "IsPresent", params: list("expression"), eval: evalIsPresent, doc: "True when neither absent nor empty."},
	function{name: "IsString", params: list("expression"), eval: evalIsString, doc: "True when the value has a text: neither null, a list nor complex."},
	function{name: "Error", params: list("message"), eval: evalError, doc: "Fails the object with the message. From the cloud-sync page."},
	function{name: "IgnoreFlowIfNullOrEmpty", params: list("expression"), eval: evalIgnoreFlow,
		doc: "The value; as the outermost function, leaves the attribute alone when it is null or empty. Open: null when nested."},
	function{name: "Redact", params: list("value"), eval: evalRedact, doc: "The value, which logs and plans show as [Redact]."},
	function{name: "DefaultDomain", impure: true, eval: evalDefaultDomain, doc: "The tenant's default verified domain, which is read from Graph once a day."},
	function{name: "SelectUniqueValue", params: list("rule1, rule2, rule*"), impure: true, random: true, eval: evalSelectUnique,
		doc: "The first value that the target does not have yet. Outermost only, for creation. Entra offers it for on-premises targets only. Null and empty rules are passed over."},

	// Lists
	function{name: "Split", params: list("source, delimiter?"), eval: evalSplit,
		doc: "The parts between delimiters. Open: parts are trimmed, empty ones stay; without a delimiter, white space separates."},
	function{name: "Item", params: list("attribute, index"), eval: evalItem, doc: "The element at a 1-based index; outside of the list is an error."},
	function{name: "Count", params: list("attribute"), eval: evalCount, doc: "The number of elements. Open: null has none, a single value one."},
	function{name: "RemoveDuplicates", params: list("attribute"), eval: evalRemoveDuplicates,
		doc: "Each element once. Open: the first of them stays, compared exactly."},

	// Dates
	function{name: "Now", impure: true, eval: evalNow, doc: "The present time in UTC."},
	function{name: "CDate", params: list("expression"), eval: evalCDate,
		doc: "The instant of a text: ISO 8601 date or date and time, with Z or an offset (on a date alone too), or M/d/yyyy h:mm:ss tt. UTC unless said."},
	function{name: "DateAdd", params: list("interval, value, dateTime"), eval: evalDateAdd, check: checkInterval,
		doc: "The date so many intervals later: yyyy, m, d, ww, h, n, s. Months and years stop at the month's end. Text is taken as by CDate."},
	function{name: "DateDiff", params: list("interval, date1, date2"), eval: evalDateDiff, check: checkInterval,
		doc: "Intervals from date1 to date2 as Visual Basic counts: elapsed d, h, n, s toward zero; m and yyyy by the calendar; ww from Sunday to Sunday. Text is taken as by CDate."},
	function{name: "DateFromNum", params: list("value"), eval: evalDateFromNum, doc: "The instant of a Windows FILETIME."},
	function{name: "NumFromDate", params: list("value"), eval: evalNumFromDate, doc: "The Windows FILETIME of an ISO 8601 date and time, as text."},
	function{name: "FormatDateTime", params: list("source, dateTimeStyles?, inputFormat, outputFormat"), min: 3, impure: true, eval: evalFormatDateTime,
		check: checkFormatDateTime, gaps: []int{1, 2},
		doc: "A date read with one .NET format and written with another, in UTC; three arguments leave out the styles. Open: the input format is not looked at when source is a date already; two-digit years end at 2049."},

	// App roles
	function{name: "SingleAppRoleAssignment", params: list("source"), impure: true, eval: evalSingleRole,
		doc: "The user's one app role: its value, or display name when that is empty. Open: several roles are an error unless the mapping's priority names one of them; default access is no role."},
	function{name: "AppRoleAssignments", params: list("source"), eval: evalRoles,
		doc: "The values of the user's app roles, as texts: not for roles, which holds objects. Named by Graph only."},
	function{name: "AppRoleAssignmentsComplex", params: list("source"), eval: evalRolesComplex,
		doc: "The user's app roles as SCIM roles; displayName goes out as display, which SCIM has."},
	function{name: "AssertiveAppRoleAssignmentsComplex", params: list("source"), eval: evalRolesAssertive,
		doc: "The user's app roles as SCIM roles with display."},
)

// functionNames are the names, sorted.
var functionNames = func() []string {
	names := make([]string, 0, len(functions))
	for name := range functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}()

// connectSync are functions of Entra Connect sync that are not in this language, each with
// what to use instead.
var connectSync = map[string]string{
	"CNum": "; text that is a number is one here", "CRef": "", "CGuid": "", "CertSubject": "", "Contains": "; use InStr, or Count for a list",
	"ConvertFromUTF8Hex": "", "DNComponentRev": "; use DNComponent", "EscapeDNComponent": "", "ImportedValue": "", "InStrRev": "; use Replace with a pattern",
	"IsBitSet": "; use BitAnd", "IsDate": "", "IsEmpty": "; use IsNullOrEmpty", "IsGuid": "", "IsNumeric": "", "ItemOrNull": "; use Item",
	"LCase": "; use ToLower", "LTrim": "; use Trim", "Len": "; this one cannot tell a length", "PadLeft": "; use Replace with a pattern", "PadRight": "",
	"RTrim": "; use Trim", "RandomNum": "; use RandomString", "RemoveDuplicateValues": "; use RemoveDuplicates", "ReplaceChars": "; use NormalizeDiacritics or Replace",
	"Right": "; use Replace with a pattern", "Select": "", "StringFromGuid": "", "UCase": "; use ToUpper", "ValueOrNull": "", "Where": "", "With": "",
}

func list(params string) []string { return strings.Split(params, ", ") }

// table derives the number of arguments from the parameters.
func table(rows ...function) map[string]*function {
	functions := make(map[string]*function, len(rows))
	for _, f := range rows {
		least := 0
		f.max = len(f.params)
		for _, param := range f.params {
			switch param[len(param)-1] {
			case '?':
			case '*':
				f.max = -1
			default:
				least++
			}
		}
		if f.min == 0 {
			f.min = least
		}
		if f.name == "Join" {
			f.min = 2
		}
		functions[f.name] = &f
	}
	return functions
}
