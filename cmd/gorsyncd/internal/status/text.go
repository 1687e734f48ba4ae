package status

import (
	"fmt"
	"slices"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/replicate"
)

// Text renders s for people: what runs, the verdict, the table of remotes, and
// below it what needs attention at the sources and in the configuration.
func (s Status) Text(colour bool) string {
	var b strings.Builder
	b.WriteString(s.Headline() + "\n" + s.Verdict().String() + "\n\n")
	b.WriteString(s.table(colour))
	for i, line := range s.Attention() {
		if i == 0 {
			b.WriteByte('\n')
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// Headline is what runs: version, uptime, journal, directories watched.
func (s Status) Headline() string {
	who := "gorsyncd is not running"
	if d := s.Daemon; d != nil {
		who = fmt.Sprintf("gorsyncd %s  up %s", names.Printable(d.Version), Duration(seconds(d.UptimeSeconds)))
	}
	parts := []string{who, fmt.Sprintf("journal #%d, %s", s.Journal.HeadSeq, Bytes(s.Journal.SizeBytes))}
	if s.Daemon != nil {
		parts = append(parts, s.watched())
	}
	return strings.Join(parts, "  ")
}

// watched: 12 412 directories watched (inotify, 1.2 % of limit).
func (s Status) watched() string {
	dirs, used, limit := 0, 0, 0
	var by []string
	for _, src := range s.Sources {
		dirs += src.Dirs
		used += src.Watches
		limit = max(limit, src.WatchLimit) // one limit for all: it is the user's
		if src.Backend != "" && !slices.Contains(by, src.Backend) {
			by = append(by, src.Backend)
		}
	}
	slices.Sort(by)
	if limit > 0 && used > 0 {
		by = append(by, fmt.Sprintf("%.1f %% of limit", 100*float64(used)/float64(limit)))
	}
	text := fmt.Sprintf("%s %s watched", Count(dirs), plural(dirs, "directory", "directories"))
	if len(by) > 0 {
		text += " (" + strings.Join(by, ", ") + ")"
	}
	return text
}

func (s Status) table(colour bool) string {
	t := NewTable([]string{"NAME", "STATE", "BEHIND", "LAG", "RATE", "LAST OK", "NOTE"}, 2)
	if colour {
		t.Paint = s.paint
	}
	for _, r := range s.Rows() {
		t.Row(r.Name, r.State, r.Behind, r.Lag, r.Rate, r.LastOK, r.Note)
	}
	return t.String()
}

// paint colours the state: the word says it as well.
func (s Status) paint(row, col int, cell string) string {
	if row < 0 || col != 1 {
		return cell
	}
	colour := map[int]string{ExitOK: "\x1b[32m", ExitBehind: "\x1b[33m", ExitProblem: "\x1b[31m"}[exitOf(s.rows()[row].State)]
	return colour + cell + "\x1b[0m"
}

func lag(r replicate.Status) string {
	if r.LagEntries == 0 && r.LagSeconds == 0 {
		return none
	}
	return Duration(seconds(r.LagSeconds))
}

func rate(r replicate.Status) string {
	if n := RateNow(r); n >= 1 {
		return Bytes(uint64(n)) + "/s"
	}
	return none
}

// RateNow is what goes to a remote, in bytes per second. What was on the wire is
// known when an rsync has ended; of those under way it is what they read.
func RateNow(r replicate.Status) float64 {
	sum := 0.0
	for _, b := range r.InFlight {
		sum += b.Rate
	}
	return max(r.Rate, sum)
}

// BytesLeft is what a remote has not had, without what is under way of it.
func BytesLeft(r replicate.Status) int64 {
	left := r.LagBytes
	for _, b := range r.InFlight {
		if b.Kind != replicate.LaneReconcile.String() { // that is of a full sync
			left -= b.BytesDone
		}
	}
	return max(0, left)
}

// Attention lists what the table has no place for: held or limited sources
// with the remedy, the last reload if it failed, a full journal.
func (s Status) Attention() []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, names.Printable(fmt.Sprintf(format, args...))) }
	seen := map[string]bool{}
	if w := s.Journal.Waiting; w != "" {
		add("nothing can be journaled, and nothing is lost: %s", w)
	}
	for _, src := range s.Sources {
		if src.State == held {
			remedy := ": gorsyncd approve '" + src.Name + "/*'"
			if !src.Approvable() {
				remedy = "" // it is in the hints, below
			}
			add("source %s is held: %s%s", src.Name, src.Held, remedy)
		}
		if src.Unseen() {
			add("source %s is being scanned: what changed while gorsyncd did not run is not known yet", src.Name)
		}
		for _, f := range src.Fallbacks {
			add("source %s: %s", src.Name, f)
		}
		if src.Unwatched > 0 {
			add("source %s: %s %s not watched, scanned from time to time instead%s", src.Name,
				Count(src.Unwatched), plural(src.Unwatched, "directory is", "directories are"), sample(src.UnwatchedSample))
		}
		if src.Overflows > 0 {
			add("source %s: the kernel's event queue overflowed %s, each time followed by a scan", src.Name, times(src.Overflows))
		}
		for _, h := range src.Hints {
			if !seen[h] {
				seen[h] = true
				add("%s", h)
			}
		}
	}
	for _, line := range s.findings() {
		add("%s", line)
	}
	if d := s.Daemon; d != nil && d.LastReloadError != "" {
		first, _, more := strings.Cut(d.LastReloadError, "\n")
		if more {
			first += " …"
		}
		add("the last reload was refused, the configuration before it is in use: %s", first)
	}
	if d := s.Daemon; d != nil && d.HTTP != nil && d.HTTP.State == HTTPFailing {
		add("the status page is not served, which is tried again: %s %s", d.HTTP.ErrorID, d.HTTP.Error)
	}
	if d := s.Daemon; d != nil && len(d.NeedsRestart) > 0 {
		add("needs a restart to be applied: %s", strings.Join(d.NeedsRestart, ", "))
	}
	for _, line := range s.notifierLines() {
		add("%s", line)
	}
	for _, line := range s.keptLines() {
		add("%s", line)
	}
	if j := s.Journal; j.MaxBytes > 0 && j.SizeBytes > j.MaxBytes*9/10 {
		by := ""
		if j.PinnedBy != "" {
			by = ", pinned by " + j.PinnedBy
		}
		add("the journal holds %s of at most %s%s", Bytes(j.SizeBytes), Bytes(j.MaxBytes), by)
	}
	if s.Note != "" {
		add("%s", s.Note)
	}
	return out
}

// findings says what remotes do not keep, each thing once with the remotes it
// was seen at.
func (s Status) findings() []string {
	type thing struct {
		id, text string
		remotes  []string
	}
	var things []*thing
	for _, r := range s.Remotes {
		for _, f := range r.Findings {
			text := findingText(f)
			i := slices.IndexFunc(things, func(t *thing) bool { return t.id == f.ID && t.text == text })
			if i < 0 {
				i = len(things)
				things = append(things, &thing{id: f.ID, text: text})
			}
			things[i].remotes = append(things[i].remotes, r.Name)
		}
	}
	var lines []string
	for _, t := range things {
		lines = append(lines, t.id+" "+list(t.remotes)+": "+t.text)
	}
	return lines
}

func findingText(f replicate.FindingStatus) string {
	text := f.Message
	if f.Detail != "" {
		text += " (" + f.Detail + ")"
	}
	if f.Remedy != "" {
		text += ": " + f.Remedy
	}
	return text
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return Count(n) + " times"
}

func sample(paths []string) string {
	const most = 3
	if len(paths) == 0 {
		return ""
	}
	shown := make([]string, 0, most)
	for _, p := range paths[:min(most, len(paths))] {
		shown = append(shown, names.Shorten(p, 60))
	}
	return " (" + strings.Join(shown, ", ") + ")"
}
