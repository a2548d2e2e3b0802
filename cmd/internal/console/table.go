package console

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Table prints rows in aligned columns. header has their titles, separated by tabs. On a terminal the widest columns wrap, so that no line is
// longer than the terminal is wide; elsewhere each row stays on one line, which scripts rely on.
func (o Output) Table(header string, rows func(row func(cells ...any))) error {
	tw := table.NewWriter()
	tw.SetStyle(plainTable)
	tw.SuppressTrailingSpaces()
	var widths []int
	add := func(cells []any) table.Row {
		row := make(table.Row, len(cells))
		for i, cell := range cells {
			value := Printable(fmt.Sprint(cell))
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
	tw.SetColumnConfigs(fitColumns(widths, o.Columns))
	_, err := fmt.Fprintln(o.W, tw.Render())
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
