package status

import (
	"fmt"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/replicate"
)

// note is the NOTE of a remote: what stands in the way with its id, what has
// been tried and what comes next; else what is under way.
func note(now time.Time, s Status, r replicate.Status) string {
	switch r.State {
	case replicate.StateHeld:
		return heldNote(r)
	case replicate.StatePaused:
		return pauseNote(now, r)
	case replicate.StateStarting:
		return startNote(s, r)
	case replicate.StateWaiting:
		return waitNote(now, r)
	}
	var parts []string
	if k := s.sinkOf(r.Name); k != nil {
		parts = append(parts, sinkNote(k)...)
	}
	if r.Error != nil {
		parts = append(parts, errorNote(now, r))
	} else if r.Failing > 0 {
		parts = append(parts, failingNote(r))
	}
	if r.FullSync != nil {
		parts = append(parts, fullSyncNote(r.FullSync))
	}
	if n := len(r.InFlight); n > 0 && r.Error == nil {
		parts = append(parts, flightNote(r))
	}
	if n := findingsNote(r); n != "" {
		parts = append(parts, n)
	}
	if n := limitNote(now, r); n != "" {
		parts = append(parts, n)
	}
	if v := verifyNote(now, r); v != "" {
		parts = append(parts, v)
	}
	return strings.Join(parts, "; ")
}

func waitNote(now time.Time, r replicate.Status) string {
	if r.Opens == nil {
		return "outside of its window"
	}
	return "outside of its window, opens in " + Duration(r.Opens.Sub(now))
}

// limitNote: at most 5.0 MiB/s for another 3h. A limit that never changes is not
// worth a word.
func limitNote(now time.Time, r replicate.Status) string {
	if r.LimitUntil == nil {
		return ""
	}
	n := "no bandwidth limit"
	if r.Limit > 0 {
		n = "at most " + Bytes(r.Limit) + "/s"
	}
	return n + " for another " + Duration(r.LimitUntil.Sub(now))
}

func heldNote(r replicate.Status) string {
	reason := "held"
	if r.Held != nil {
		reason = r.Held.Reason
	}
	return fmt.Sprintf("%s: gorsyncd approve %s", reason, r.Name)
}

func pauseNote(now time.Time, r replicate.Status) string {
	n := "until gorsyncd resume " + r.Name
	if p := r.Paused; p != nil {
		if p.Until != nil {
			n = "for another " + Duration(p.Until.Sub(now))
		}
		if p.Reason != "" {
			n += ": " + p.Reason
		}
	}
	return n
}

func startNote(s Status, r replicate.Status) string {
	for _, src := range s.Sources {
		if src.Name == r.Source && src.ScanDirs > 0 {
			return fmt.Sprintf("scanning, %s directories so far", Count(src.ScanDirs))
		}
	}
	return ""
}

// errorNote: E-CONNECT connection refused; attempt 19, next in 4m10s.
func errorNote(now time.Time, r replicate.Status) string {
	e := r.Error
	n := strings.TrimSpace(e.ID + " " + e.Message)
	if e.Path != "" {
		n += " (" + names.Shorten(e.Path, 60) + ")"
	}
	if r.Failing > 1 {
		n += fmt.Sprintf("; %s paths failing", Count(r.Failing))
	}
	if e.Attempts > 0 {
		n += fmt.Sprintf("; attempt %d", e.Attempts)
	}
	if v := r.Verify; v != nil && v.Unrepaired > 0 && e.Attempts == 0 && e.Hint != "" {
		n += ": " + e.Hint
	}
	if e.NextRetry != nil {
		n += ", next in " + Duration(e.NextRetry.Sub(now))
	}
	return n
}

// findingsNote: not kept there: W-OWNERS, W-SYMLINKS.
func findingsNote(r replicate.Status) string {
	var ids []string
	for _, f := range r.Findings {
		if f.Spoils {
			ids = append(ids, f.ID)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return "not kept there: " + strings.Join(ids, ", ")
}

func failingNote(r replicate.Status) string {
	return fmt.Sprintf("%s %s failing: gorsyncd journal inspect --state failing", Count(r.Failing), plural(r.Failing, "path", "paths"))
}

func fullSyncNote(f *replicate.FullSyncStatus) string {
	n := "full sync (" + f.Reason + ")"
	switch {
	case f.Waiting:
		return n + " waits for the first scan"
	case f.Links:
		return n + ": hard links"
	case f.Total > 0:
		return n + fmt.Sprintf(": %s of %s directories", Count(f.Done), Count(f.Total)) + leftNote(f)
	}
	return n
}

// leftNote: , 1,203 files (4.1 GiB) and 12m left.
func leftNote(f *replicate.FullSyncStatus) string {
	if f.FilesLeft == nil || f.BytesLeft == nil {
		return ""
	}
	n := fmt.Sprintf(", %s %s (%s)", Count(*f.FilesLeft), plural(*f.FilesLeft, "file", "files"), Bytes(*f.BytesLeft))
	if f.SecondsLeft != nil {
		n += " and " + Duration(time.Duration(*f.SecondsLeft*float64(time.Second)))
	}
	return n + " left"
}

// verifyNote: verified 2h ago, 3 differences repaired.
func verifyNote(now time.Time, r replicate.Status) string {
	v := r.Verify
	switch {
	case v == nil:
		return ""
	case v.Running != nil:
		return fmt.Sprintf("verify: %s of %s directories, %s %s", Count(v.Running.Dirs), Count(v.Running.TotalDirs),
			Count(v.Running.Differences), plural(v.Running.Differences, "difference", "differences"))
	case v.Last == nil:
		return ""
	}
	n := "verified " + Ago(now, v.Last) + " ago"
	if v.Path != "" {
		n += " (" + v.Path + ")"
	}
	if !v.Complete {
		n += ", not all of it"
	}
	if v.Repaired > 0 {
		n += fmt.Sprintf(", %s of %s %s repaired", Count(v.Repaired), Count(v.Differences), plural(v.Differences, "difference", "differences"))
	}
	return n
}

// flightNote: 3 rsyncs, 62 MiB left, ~8s.
func flightNote(r replicate.Status) string {
	n := fmt.Sprintf("%d %s", len(r.InFlight), plural(len(r.InFlight), "rsync", "rsyncs"))
	if left := BytesLeft(r); left > 0 {
		n += ", " + Bytes(left) + " left"
		if rate := RateNow(r); rate > 1 {
			n += ", ~" + Duration(seconds(float64(left)/rate))
		}
	}
	return n
}

func plural[T ~int | ~uint64](n T, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
