package status

import (
	"strings"

	"github.com/mattn/go-runewidth"

	"gorsyncd/cmd/gorsyncd/internal/names"
)

// widths measures text as terminals draw it. Characters of ambiguous width
// (– …) are narrow whatever the locale, so that output does not depend on it.
var widths = &runewidth.Condition{}

// Table lines up columns by display width; text/tabwriter counts characters
// and misaligns Chinese, Japanese and Korean names.
type Table struct {
	rows  [][]string
	right map[int]bool
}

// NewTable starts a table. The columns whose numbers are given are aligned to
// the right.
func NewTable(header []string, right ...int) *Table {
	t := &Table{right: map[int]bool{}}
	for _, i := range right {
		t.right[i] = true
	}
	t.rows = append(t.rows, header)
	return t
}

// Row adds a row. Control characters in cells are neutralised.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = names.Printable(c)
	}
	t.rows = append(t.rows, row)
}

// Len is the number of rows without the header.
func (t *Table) Len() int { return len(t.rows) - 1 }

// String renders the table; the last column is not padded.
func (t *Table) String() string {
	wide := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, c := range row {
			wide[i] = max(wide[i], widths.StringWidth(c))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, c := range row {
			pad := strings.Repeat(" ", wide[i]-widths.StringWidth(c))
			switch {
			case t.right[i]:
				line.WriteString(pad + c)
			case i < len(row)-1:
				line.WriteString(c + pad)
			default:
				line.WriteString(c)
			}
			if i < len(row)-1 {
				line.WriteString("  ")
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
