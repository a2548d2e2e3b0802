package mapping_test

import (
	"testing"
	"time"

	"entrasync/reconcile/mapping"

	"github.com/google/go-cmp/cmp"
)

func TestDates(t *testing.T) {
	t.Parallel()
	bad := fails(mapping.TypeMismatch)
	env := &mapping.Env{Now: time.Date(2025, 7, 30, 15, 4, 5, 0, time.FixedZone("", 2*3600)), Source: mapping.Record{"n": mapping.IntValue(5)}}
	for _, test := range []struct {
		expr string
		want any
	}{
		{`Now()`, "7/30/2025 1:04:05 PM"}, {`Append(Now(), "")`, "7/30/2025 1:04:05 PM"},

		// CDate
		{`CDate("")`, bad}, {`CDate("2021-6-3")`, "6/3/2021 12:00:00 AM"}, {`CDate("2021/06/03")`, "6/3/2021 12:00:00 AM"}, {`CDate(" 2021-06-03 ")`, "6/3/2021 12:00:00 AM"},
		{`CDate("2021-06-03 7:05")`, "6/3/2021 7:05:00 AM"}, {`CDate("2021-06-03T07:05:06.1234567Z")`, "6/3/2021 7:05:06 AM"}, {`CDate("2021-06-03T07:05:06+0530")`, "6/3/2021 1:35:06 AM"},
		{`CDate("2021-06-03T07:05:06 -02")`, "6/3/2021 9:05:06 AM"}, {`CDate("6/3/2021 12:00 AM")`, "6/3/2021 12:00:00 AM"}, {`CDate("6/3/2021 12:00:00 pm")`, "6/3/2021 12:00:00 PM"},
		{`CDate("13/3/2021")`, bad}, {`CDate("2021-02-29")`, bad}, {`CDate("2021-01-01T25:00:00Z")`, bad}, {`CDate("2021-01-01T13:00:00 AM")`, bad}, {`CDate("2021-01-01T")`, bad},
		{`CDate("2021-01-01Zx")`, bad}, {`CDate("0001-01-01+01:00")`, bad}, {`CDate("0001-01-01")`, "1/1/0001 12:00:00 AM"}, {`CDate("9999-12-31T23:59:59Z")`, "12/31/9999 11:59:59 PM"}, {`CDate([n])`, bad},
		{`CDate("2021-01-01+15:00")`, bad}, {`CDate("2021-01-01T01:02:03.")`, bad},

		// DateAdd
		{`DateAdd("m", 1, "2021-01-31")`, "2/28/2021 12:00:00 AM"}, {`DateAdd("m", 13, "2023-01-31T01:02:03Z")`, "2/29/2024 1:02:03 AM"}, {`DateAdd("m", -13, "2021-03-31")`, "2/29/2020 12:00:00 AM"},
		{`DateAdd("h", "5", "2021-01-01")`, "1/1/2021 5:00:00 AM"}, {`DateAdd("ww", -1, "2021-01-08")`, "1/1/2021 12:00:00 AM"}, {`DateAdd("yyyy", 9999, "2021-01-01")`, fails(mapping.Range)},
		{`DateAdd("d", -800000, "2021-01-01")`, fails(mapping.Range)}, {`DateAdd("s", 9223372036854775807, "2021-01-01")`, fails(mapping.Range)}, {`DateAdd("ww", 300000000000, "2021-01-01")`, fails(mapping.Range)},
		{`DateAdd("D", 1, "2021-01-01")`, bad}, {`DateAdd("d", "x", "2021-01-01")`, bad}, {`DateAdd("d", 1, "x")`, bad}, {`DateAdd(Append("d", "d"), 1, Now())`, bad}, {`DateAdd("m", -24241, "2021-01-01")`, fails(mapping.Range)},

		// DateDiff
		{`DateDiff("d", "2021-01-01T23:00:00Z", "2021-01-02T01:00:00Z")`, 0.0}, {`DateDiff("d", "2021-01-02T01:00:00Z", "2021-01-01T00:00:00Z")`, -1.0},
		{`DateDiff("yyyy", "2020-12-31", "2021-01-01")`, 1.0}, {`DateDiff("m", "2021-01-31", "2020-12-01")`, -1.0}, {`DateDiff("ww", "2021-01-02", "2021-01-03")`, 1.0},
		{`DateDiff("ww", "2021-01-03", "2021-01-09")`, 0.0}, {`DateDiff("n", "2021-01-01", "2021-01-01T00:01:59Z")`, 1.0}, {`DateDiff("d", "0001-01-01", "9999-12-31")`, 3652058.0},
		{`DateDiff("x", "2021-01-01", "2021-01-01")`, bad}, {`DateDiff("d", [none], Now())`, nil},

		// FILETIME
		{`DateFromNum("x")`, bad}, {`DateFromNum(-1)`, fails(mapping.Range)}, {`DateFromNum("9223372036854775807")`, fails(mapping.Range)}, {`NumFromDate("1601-01-01")`, "0"},
		{`NumFromDate("1600-12-31")`, fails(mapping.Range)}, {`NumFromDate(DateFromNum(129699324000000001))`, "129699324000000001"}, {`NumFromDate("9999-12-31T23:59:59.9999999Z")`, "2650467743999999999"},

		// FormatDateTime: reading
		{`FormatDateTime("20150123105347.1Z", , "yyyyMMddHHmmss.fZ", "yyyy-MM-dd")`, "2015-01-23"}, {`FormatDateTime("20150123", "yyyyMMdd", "d")`, "01/23/2015"},
		{`FormatDateTime("1/2/2021", , "M/d/yyyy", "yyyyMMdd")`, "20210102"}, {`FormatDateTime("12/31/2021 11:05:06 pm", , "M/d/yyyy h:mm:ss tt", "HH:mm:ss")`, "23:05:06"},
		{`FormatDateTime("12:30 AM", , "h:mm tt", "yyyy-MM-dd HH:mm")`, "2025-07-30 00:30"}, {`FormatDateTime("March 5", , "MMMM d", "yyyy-MM-dd")`, "2025-03-05"},
		{`FormatDateTime("5 mar 49", , "d MMM yy", "yyyy-MM-dd")`, "2049-03-05"}, {`FormatDateTime("5 Mar 50", , "d MMM yy", "yyyy-MM-dd")`, "1950-03-05"}, {`FormatDateTime("Fri 2021-01-01", , "ddd yyyy-MM-dd", "yyyy")`, "2021"},
		{`FormatDateTime("Thu 2021-01-01", , "ddd yyyy-MM-dd", "yyyy")`, bad}, {`FormatDateTime("2021-01-01T00:30:00+02:00", , "yyyy-MM-ddTHH:mm:sszzz", "yyyy-MM-dd HH:mm K")`, "2020-12-31 22:30 Z"},
		{`FormatDateTime("2021-01-01T00:00:00Z", , "yyyy-MM-ddTHH:mm:ssK", "HH:mmK")`, "00:00Z"}, {`FormatDateTime("2021-01-01T00:00:00", , "yyyy-MM-ddTHH:mm:ssK", "HH:mmK")`, "00:00"},
		{`FormatDateTime("2021-01-01 1", , "yyyy-MM-dd z", "yyyy")`, bad}, {`FormatDateTime("2021-1-1", , "yyyy-MM-dd", "yyyy")`, bad}, {`FormatDateTime("2021-01-01x", , "yyyy-MM-dd", "yyyy")`, bad},
		{`FormatDateTime("01:02:03.5", , "HH:mm:ss.FFF", "s.fff")`, "3.500"}, {`FormatDateTime("01:02:03", , "HH:mm:ss.FFF", "s.FFF")`, "3"}, {`FormatDateTime("13 PM", , "hh tt", "HH")`, bad},
		{`FormatDateTime("A.D. 2021", , "gg yyyy", "yyyy g")`, "2021 A.D."}, {`FormatDateTime("at 5 o'clock", , "'at' H \"o'clock\"", "HH")`, "05"},

		// styles and sources
		{`FormatDateTime(" 2021-07-04", "None", "yyyy-MM-dd", "yyyy")`, bad}, {`FormatDateTime(" 2021-07-04", "AllowLeadingWhite", "yyyy-MM-dd", "yyyy")`, "2021"},
		{`FormatDateTime(" 2021-07-04 ", "AllowWhiteSpaces, AssumeUniversal", "yyyy-MM-dd", "yyyy")`, "2021"}, {`FormatDateTime("2021", "Loose", "yyyy", "yyyy")`, bad},
		{`FormatDateTime(CDate("2021-07-04"), , "anything", "dd.MM.yyyy")`, "04.07.2021"}, {`FormatDateTime("2021-07-04", , , "dd.MM.yyyy")`, "04.07.2021"}, {`FormatDateTime([none], , "yyyy", "yyyy")`, nil},
		{`FormatDateTime("x", , , "yyyy")`, bad}, {`FormatDateTime(Now(), , "yyyy", )`, fails(mapping.Arity)},

		// FormatDateTime: writing
		{`FormatDateTime(Now(), , , "dddd d ddd dd")`, "Wednesday 30 Wed 30"}, {`FormatDateTime(Now(), , , "h hh H HH t tt")`, "1 01 13 13 P PM"}, {`FormatDateTime(Now(), , , "y yy yyy yyyyy")`, "25 25 2025 02025"},
		{`FormatDateTime(Now(), , , "z zz zzz")`, "+0 +00 +00:00"}, {`FormatDateTime(Now(), , , "\\d\\d %d 'd'")`, "dd 30 d"}, {`FormatDateTime(Now(), , , "%d")`, "30"}, {`FormatDateTime(Now(), , , "o")`, "2025-07-30T13:04:05.0000000Z"},
		{`FormatDateTime(Now(), , , "R")`, "Wed, 30 Jul 2025 13:04:05 GMT"}, {`FormatDateTime(Now(), , , "q")`, bad}, {`FormatDateTime(Now(), , , "'d")`, bad}, {`FormatDateTime(Now(), , , "ffffffff")`, bad},
		{`FormatDateTime(Now(), , , "d\\")`, bad}, {`FormatDateTime(Now(), , , "yy%")`, bad}, {`FormatDateTime(Now(), , , "")`, bad},
	} {
		if diff := cmp.Diff(test.want, outcome(test.expr, env)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.expr, diff)
		}
	}
}
