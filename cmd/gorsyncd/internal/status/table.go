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

	// Paint, if set, wraps a padded cell in colour; row -1 is the header.
	Paint func(row, col int, cell string) string
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
	for n, row := range t.rows {
		cells := make([]string, len(row))
		for i, c := range row {
			pad := strings.Repeat(" ", wide[i]-widths.StringWidth(c))
			switch {
			case t.right[i]:
				c = pad + c
			case i < len(row)-1:
				c += pad
			}
			if t.Paint != nil {
				c = t.Paint(n-1, i, c)
			}
			cells[i] = c
		}
		b.WriteString(strings.TrimRight(strings.Join(cells, "  "), " ") + "\n")
	}
	return b.String()
}
