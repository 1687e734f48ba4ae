package screen

import (
	"fmt"
	"slices"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/status"
)

// column is one of the table.
type column struct {
	title string
	right bool
	cell  func(row status.Row) string
	style func(row status.Row) Style
	keep  int // columns with the smallest are left out first, when there is no room
	width int
}

const (
	noteLines  = 2  // of the note of a trouble that does not fit into its row
	noteWidth  = 24 // less of a note says nothing: it gets a line of its own
	nameWidth  = 40 // a longer name is cut
	sparkCells = 20 // half of it where there is little room
)

// columns are those that fit, the note aside.
func (r *renderer) columns() []column {
	cols := []column{
		{title: "NAME", keep: 9, cell: func(w status.Row) string { return r.m.cut(w.Name, min(nameWidth, max(8, r.Width/2))) }},
		{title: "STATE", keep: 8, cell: func(w status.Row) string { return w.State }, style: stateStyle},
		{title: "BEHIND", keep: 5, right: true, cell: func(w status.Row) string { return w.Behind }},
		{title: "LAG", keep: 7, right: true, cell: func(w status.Row) string { return w.Lag }},
		{title: "RATE", keep: 3, right: true, cell: func(w status.Row) string { return w.Rate }},
		{title: "LAST HOUR", keep: 4, cell: r.spark, style: func(status.Row) Style { return Cyan }},
		{title: "LAST OK", keep: 2, right: true, cell: func(w status.Row) string { return w.LastOK }},
	}
	if len(r.Lag.Series) == 0 {
		cols = slices.DeleteFunc(cols, func(c column) bool { return c.title == "LAST HOUR" })
	}
	r.cells = sparkCells
	if r.widths(cols) > r.Width {
		r.cells = sparkCells / 2
	}
	for r.widths(cols) > r.Width && len(cols) > 2 {
		least := 0
		for i := range cols {
			if cols[i].keep < cols[least].keep {
				least = i
			}
		}
		cols = slices.Delete(cols, least, least+1)
	}
	return cols
}

// widths sets the widths of columns, and returns that of all.
func (r *renderer) widths(cols []column) int {
	total := -2
	for i := range cols {
		cols[i].width = r.m.StringWidth(cols[i].title)
		for _, w := range r.rows {
			cols[i].width = max(cols[i].width, r.m.StringWidth(cols[i].cell(w)))
		}
		total += cols[i].width + 2
	}
	return total
}

func (r *renderer) spark(w status.Row) string {
	cells := r.cells
	if r.Wide {
		cells /= 2
	}
	return spark(r.Lag.Series[w.Of.Name], r.Lag.Every, cells)
}

func stateStyle(w status.Row) Style {
	return map[int]Style{status.ExitOK: Green, status.ExitBehind: Yellow, status.ExitProblem: Red}[w.Exit]
}

// block is what one row of the table takes, and of which kind it is.
type block struct {
	lines []Line
	state string
}

// table is the rows, each a block: the first is the titles. Empty without rows.
func (r *renderer) table() []block {
	if len(r.rows) == 0 {
		return nil
	}
	cols := r.columns()
	var titles Line
	used := 0
	for _, c := range cols {
		titles = append(titles, Span{r.m.pad(c.title, c.width, c.right) + "  ", Dim})
		used += c.width + 2
	}
	beside := r.Width-used >= noteWidth
	if beside {
		titles = append(titles, Span{"NOTE", Dim})
	}
	blocks := []block{{lines: []Line{trimmed(titles)}}}
	for _, w := range r.rows {
		b := block{state: w.State, lines: []Line{nil}}
		for _, c := range cols {
			style := Plain
			if c.style != nil {
				style = c.style(w)
			}
			b.lines[0] = append(b.lines[0], Span{r.m.pad(c.cell(w), c.width, c.right), style}, Span{"  ", Plain})
		}
		switch {
		case w.Note == "":
		case beside && (w.Exit == status.ExitOK || r.m.StringWidth(w.Note) <= r.Width-used):
			b.lines[0] = append(b.lines[0], Span{w.Note, Plain})
		case w.Exit != status.ExitOK:
			lines := 1
			if w.Of.Error != nil || w.Exit == status.ExitProblem { // its end says what to do
				lines = noteLines
			}
			for _, text := range r.m.wrap(w.Note, r.Width-2, lines) {
				b.lines = append(b.lines, Line{{"  " + text, Plain}})
			}
		}
		b.lines[0] = trimmed(b.lines[0])
		blocks = append(blocks, b)
	}
	return blocks
}

// trimmed is a line without spaces at its end.
func trimmed(l Line) Line {
	for n := len(l); n > 0; n-- {
		if l[n-1].Text = strings.TrimRight(l[n-1].Text, " "); l[n-1].Text != "" {
			return l[:n]
		}
	}
	return nil
}

func height(blocks []block) int {
	n := 0
	for _, b := range blocks {
		n += len(b.lines)
	}
	return n
}

// fitTable takes from the table what fits into some lines, and says how far it can
// be scrolled.
func (r *renderer) fitTable(blocks []block, room int) (lines []Line, maxScroll int) {
	if len(blocks) == 0 || room <= 0 {
		return nil, 0
	}
	titles, rows := blocks[0], blocks[1:]
	if height(blocks) <= room {
		return flat(blocks), 0
	}
	room -= len(titles.lines)
	maxScroll = len(rows)
	for used := 1; maxScroll > 0 && used+len(rows[maxScroll-1].lines) <= room; maxScroll-- {
		used += len(rows[maxScroll-1].lines)
	}
	maxScroll = min(maxScroll, len(rows)-1)
	from := min(max(0, r.Scroll), maxScroll)
	lines = slices.Clone(titles.lines)
	to := from
	for used := 1; to < len(rows) && used+len(rows[to].lines) <= room; to++ { // one line for the count
		used += len(rows[to].lines)
		lines = append(lines, rows[to].lines...)
	}
	if to < len(rows) && len(lines) < len(titles.lines)+room-1 { // the next one without its note
		lines = append(lines, rows[to].lines[0])
		to++
	}
	switch {
	case from == 0 && to == len(rows): // but for a note, all is there
	case room > 0:
		lines = append(lines, Line{{hidden(rows[:from], rows[to:]), Dim}})
	}
	return lines, maxScroll
}

// hidden: … 2 above; 3 more syncing, 12 more in sync.
func hidden(above, below []block) string {
	var parts []string
	if len(above) > 0 {
		parts = append(parts, status.Count(len(above))+" above")
	}
	var states []string
	count := map[string]int{}
	for _, b := range below {
		if count[b.state]++; count[b.state] == 1 {
			states = append(states, b.state)
		}
	}
	for _, s := range states {
		parts = append(parts, fmt.Sprintf("%s more %s", status.Count(count[s]), s))
	}
	return "… " + strings.Join(parts, ", ")
}

func flat(blocks []block) []Line {
	var lines []Line
	for _, b := range blocks {
		lines = append(lines, b.lines...)
	}
	return lines
}
