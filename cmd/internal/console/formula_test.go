package console

import "testing"

func TestSpreadsheetFormulas(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`=HYPERLINK("https://evil.example","x")`: `'=HYPERLINK("https://evil.example","x")`,
		"+cmd|' /C calc'!A0":                     "'+cmd|' /C calc'!A0",
		"-2+3+cmd|' /C calc'!A0":                 "'-2+3+cmd|' /C calc'!A0",
		"@SUM(1+1)*cmd|' /C calc'!A0":            "'@SUM(1+1)*cmd|' /C calc'!A0",
		"＝1+1":                                   "'＝1+1",
		"|calc":                                  "'|calc",
		"+49 30 (12) 34-56":                      "+49 30 (12) 34-56",
		"ada@contoso.example":                    "ada@contoso.example",
		"Ada = Lovelace":                         "Ada = Lovelace",
		"":                                       "",
	} {
		if have := WithoutFormula(value); have != want {
			t.Errorf("%q became %q, want %q", value, have, want)
		}
	}
}
