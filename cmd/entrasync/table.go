package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// table prints rows in aligned columns. On a terminal the widest columns wrap, so that no line is
// longer than the terminal is wide; elsewhere each row stays on one line, which scripts rely on.
func (a *app) table(header string, rows func(row func(cells ...any))) error {
	tw := table.NewWriter()
	tw.SetStyle(plainTable)
	tw.SuppressTrailingSpaces()
	var widths []int
	add := func(cells []any) table.Row {
		row := make(table.Row, len(cells))
		for i, cell := range cells {
			value := printable(fmt.Sprint(cell))
			row[i] = value
			if len(widths) <= i {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], text.StringWidth(value))
		}
		return row
	}
	var titles []any
	for _, title := range strings.Split(header, "\t") {
		titles = append(titles, strings.ToUpper(title))
	}
	tw.AppendHeader(add(titles))
	rows(func(cells ...any) { tw.AppendRow(add(cells)) })
	tw.SetColumnConfigs(fitColumns(widths, width(a.out)))
	_, err := fmt.Fprintln(a.out, tw.Render())
	return err
}

// columnGap is the space between two columns.
const columnGap = "  "

// plainTable has neither borders nor rules: it reads well in a terminal and is easily cut by awk.
var plainTable = table.Style{
	Name:    "entrasync",
	Box:     table.BoxStyle{PaddingRight: columnGap},
	Format:  table.FormatOptions{Header: text.FormatDefault, Row: text.FormatDefault},
	Options: table.OptionsNoBordersAndSeparators,
}

// narrowest is how far a column is narrowed: a shorter one is no longer readable.
const narrowest = 12

// fitColumns narrows the widest columns until the table fits into total cells; 0 means no limit.
func fitColumns(widths []int, total int) (configs []table.ColumnConfig) {
	fitted := append([]int(nil), widths...)
	for total > 0 {
		sum, widest := 0, 0
		for i, w := range fitted {
			sum += w + len(columnGap)
			if w > fitted[widest] {
				widest = i
			}
		}
		if sum-len(columnGap) <= total || fitted[widest] <= narrowest {
			break
		}
		fitted[widest]--
	}
	for i, w := range fitted {
		if w < widths[i] {
			configs = append(configs, table.ColumnConfig{Number: i + 1, WidthMax: w, WidthMaxEnforcer: text.WrapSoft})
		}
	}
	return configs
}

// width returns how many cells wide the terminal of a stream is, 0 when it is none or not known.
func width(w io.Writer) int {
	if remote, ok := w.(interface{ Columns() int }); ok {
		return remote.Columns()
	}
	file, ok := w.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// printable keeps what comes from a directory or an application from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '�'
		}
		return r
	}, s)
}

// localTime writes a time for people: in the machine's zone, which it names.
func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }
