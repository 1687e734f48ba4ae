package status

import (
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/replicate"
)

// Row is one remote or sink, spelt for people. Its texts are safe for a terminal.
type Row struct {
	Name   string
	State  string // the state word
	Exit   int    // what it does to the exit code: ExitOK, ExitBehind or ExitProblem
	Behind string // entries
	Lag    string
	Rate   string
	LastOK string // how long ago
	Note   string

	// Of is the remote; for a sink it holds what the two have in common.
	Of replicate.Status
}

// Rows are the remotes and, behind them, the sinks.
func (s Status) Rows() []Row {
	list := s.rows()
	rows := make([]Row, 0, len(list))
	for _, r := range list {
		rows = append(rows, Row{
			Name: names.Printable(r.Name), State: strings.ReplaceAll(names.Printable(string(r.State)), "_", " "), Exit: exitOf(r.State),
			Behind: Count(r.LagEntries), Lag: lag(r), Rate: rate(r), LastOK: Ago(s.Time, r.LastSuccess),
			Note: names.Printable(note(s.Time, s, r)), Of: r,
		})
	}
	return rows
}
