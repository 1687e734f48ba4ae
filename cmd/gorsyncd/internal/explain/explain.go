// Package explain says in words what becomes of a path: the same words on the
// command line and on the status page.
package explain

import (
	"fmt"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

// Text is the answer to "what becomes of this path, and why?", for people: lines
// that hold no control characters.
func Text(e control.Explanation, now time.Time) string {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(names.Printable(fmt.Sprintf(format, args...)) + "\n") }
	line("%s        %s", e.Path, what(e, now))
	if e.Filter.Excluded {
		line("filter   %s", excludedBy(e))
		return b.String()
	}
	if e.Filter.Rule != "" {
		line("filter   included by %q (%s)", e.Filter.Rule, e.Filter.Origin)
	} else {
		line("filter   included (no rule matches)")
	}
	line("watch    %s", yesNo(e.Watched, e.WatchNote))
	if e.Entry != nil {
		line("journal  #%d %s %s ago", e.Entry.Seq, e.Entry.Op, status.Duration(now.Sub(e.Entry.Time)))
	} else {
		line("journal  no entry: unchanged for as long as entries are kept")
	}
	if e.Behind {
		line("later    its attributes have changed, and go with its next change of content (attributes: with_content)")
	}
	t := status.NewTable([]string{"", "", ""})
	for _, r := range e.Remotes {
		t.Row("  "+r.Remote, remoteWord(r), remoteDetail(r, now))
	}
	_, rows, _ := strings.Cut(t.String(), "\n") // without a header
	b.WriteString(rows)
	return b.String()
}

func what(e control.Explanation, now time.Time) string {
	parts := []string{"source " + e.Source}
	switch {
	case !e.Exists:
		parts = append(parts, "does not exist")
	case e.Type == "file":
		parts = append(parts, e.Type, status.Bytes(e.SizeBytes))
	default:
		parts = append(parts, e.Type)
	}
	if e.Exists && e.Modified != nil {
		parts = append(parts, "modified "+status.Ago(now, e.Modified)+" ago")
	}
	return strings.Join(parts, ", ")
}

// excludedBy: EXCLUDED by "- /cache/" (gorsyncd.yaml:6) – never sent.
func excludedBy(e control.Explanation) string {
	s := fmt.Sprintf("EXCLUDED by %q", e.Filter.Rule)
	if e.Filter.Origin != "" {
		s += " (" + e.Filter.Origin + ")"
	}
	if by := e.Filter.By; by != "" && !strings.HasSuffix(e.Text, by) {
		s += fmt.Sprintf(", through its directory %s", by)
	}
	return s + " – never sent"
}

func yesNo(yes bool, note string) string {
	s := "no"
	if yes {
		s = "yes"
	}
	if note != "" {
		s += " (" + note + ")"
	}
	return s
}

func remoteWord(r control.RemotePath) string {
	if r.State == "acked" {
		return "delivered"
	}
	return strings.ReplaceAll(r.State, "_", " ")
}

func remoteDetail(r control.RemotePath, now time.Time) string {
	var parts []string
	if r.Position > 0 {
		parts = append(parts, fmt.Sprintf("number %s in the queue", status.Count(r.Position)))
	}
	if r.Note != "" {
		parts = append(parts, r.Note)
	}
	if r.ErrorID != "" || r.Message != "" {
		parts = append(parts, strings.TrimSpace(r.ErrorID+" "+r.Message))
	}
	if r.Attempts > 0 {
		parts = append(parts, fmt.Sprintf("attempt %d", r.Attempts))
	}
	if r.NextRetry != nil {
		parts = append(parts, "next try in "+status.Duration(r.NextRetry.Sub(now)))
	}
	return strings.Join(parts, ", ")
}
