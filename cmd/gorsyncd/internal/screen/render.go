package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

// View is what there is to draw.
type View struct {
	Status  status.Status // the zero value before anything is known
	Lag     Lag
	Failing []FailingPath
	Notice  string // what the program has to say itself, such as that the daemon is away; "" for nothing

	Width, Height int
	Wide          bool // characters of ambiguous width are two wide
	Now           time.Time
	Scroll        int // rows of the table to leave out at its top
}

// Lag is how far remotes and sinks were behind in the last hour. The zero value
// says that nobody knows.
type Lag struct {
	Every  time.Duration         // between two values
	Series map[string][]*float64 // seconds, by full name, oldest first, ending now; nil where not known
}

// FailingPath is a path that fails.
type FailingPath struct {
	Remote   string // full name
	Path     string // relative to the source, any bytes
	ErrorID  string
	Message  string
	Attempts int
}

// Frame is a screen.
type Frame struct {
	Lines     []Line
	MaxScroll int // the highest value of View.Scroll that shows something new
}

// Render draws v.
func Render(v View) Frame {
	r := renderer{View: v, m: newMeasure(v.Wide), rows: v.Status.Rows()}
	slices.SortStableFunc(r.rows, func(a, b status.Row) int { return cmp.Compare(b.Exit, a.Exit) })
	f := r.frame()
	for i, l := range f.Lines {
		f.Lines[i] = r.m.fit(l, v.Width)
	}
	return f
}

type renderer struct {
	View
	m    measure
	rows []status.Row

	cells int // of a sparkline
	named int // width of the names of what is under way
}

// section is a block below the table that can be shortened.
type section struct {
	title string
	lines []Line
	more  string // where to read what is not shown
}

func (r *renderer) frame() Frame {
	head := r.head()
	left := r.Height - len(head)
	if left <= 0 {
		return Frame{Lines: head[:max(0, r.Height)]}
	}
	below := []section{r.attention(), r.flights(), r.failing()}
	table := r.table()
	// What is below the table may have what the table leaves, or what those of its
	// rows leave that are not in sync, or half of it all.
	room := max(left-height(table), left-height(table[:r.unsynced(table)])-fewInSync, left/2)
	var foot []Line
	for i, n := range shares(room, below) {
		foot = append(foot, below[i].fit(n)...)
	}
	shown, most := r.fitTable(table, left-len(foot))
	return Frame{Lines: slices.Concat(head, shown, foot), MaxScroll: most}
}

// shares divides lines among sections: first each gets the least that shows
// anything of it, then one line after the other goes round.
func shares(room int, list []section) []int {
	out := make([]int, len(list))
	for i, s := range list {
		if n := min(s.height(), leastSection); n <= room {
			out[i], room = n, room-n
		}
	}
	for more := true; more; {
		more = false
		for i, s := range list {
			if room > 0 && out[i] > 0 && out[i] < s.height() {
				out[i], room, more = out[i]+1, room-1, true
			}
		}
	}
	return out
}

// unsynced is how many blocks of the table come before the rows in sync.
func (r *renderer) unsynced(table []block) int {
	n := slices.IndexFunc(r.rows, func(w status.Row) bool { return w.Exit == status.ExitOK })
	if n < 0 {
		return len(table)
	}
	return n + 1
}

// fewInSync is how many lines are left to rows in sync at least.
const fewInSync = 4

// leastSection is a blank line, a title, and a line.
const leastSection = 3

// height is what a section takes with its title and the blank line above it.
func (s section) height() int {
	if len(s.lines) == 0 {
		return 0
	}
	return len(s.lines) + 2
}

// fit is the section in so many lines, nothing when there is no room for a line.
// The title counts what is not shown.
func (s section) fit(room int) []Line {
	if len(s.lines) == 0 || room < leastSection {
		return nil
	}
	title := Line{{s.title, Dim}}
	if hidden := s.height() - room; hidden > 0 {
		title = append(title, Span{fmt.Sprintf("  … %s more%s", status.Count(hidden), s.more), Dim})
		s.lines = s.lines[:len(s.lines)-hidden]
	}
	return slices.Concat([]Line{nil, title}, s.lines)
}

// head is what runs and the verdict.
func (r *renderer) head() []Line {
	if r.Status.V == 0 {
		return []Line{{{names.Printable(r.Notice), Bold}}}
	}
	verdict := r.Status.Verdict()
	colour := map[status.VerdictKind]Style{status.VerdictProblem: Red, status.VerdictBehind: Yellow, status.VerdictInSync: Green}[verdict.Kind]
	if colour == Green && verdict.Unseen != "" {
		colour = Yellow
	}
	text := verdict.String()
	lines := []Line{{{r.Status.Headline(), Dim}}, {{strings.ToUpper(text[:1]) + text[1:], colour + bolder(colour)}}}
	if r.Notice != "" {
		lines = append(lines, Line{{names.Printable(r.Notice), Red}})
	}
	return append(lines, nil)
}

func bolder(colour Style) Style {
	if colour == Plain {
		return Bold
	}
	return ";" + Bold
}

func (r *renderer) attention() section {
	s := section{title: "ATTENTION", more: ": gorsyncd status"}
	for _, line := range r.Status.Attention() {
		s.lines = append(s.lines, plain(line))
	}
	return s
}

func (r *renderer) failing() section {
	s := section{title: "FAILING PATHS", more: ": gorsyncd journal inspect --state failing"}
	for _, f := range r.Failing {
		why := names.Printable(fmt.Sprintf("%s %s (attempt %d)", f.ErrorID, f.Message, f.Attempts))
		where := names.Printable(f.Remote)
		room := r.Width - r.m.StringWidth(where) - min(r.m.StringWidth(why), r.Width/2) - 4
		s.lines = append(s.lines, Line{{where + "  ", Plain}, {r.m.cutFront(names.Printable(f.Path), max(8, room)), Bold}, {"  " + why, Red}})
	}
	return s
}
