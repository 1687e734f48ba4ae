package screen

import (
	"fmt"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
)

// barWidth is how wide a progress bar is at most.
const barWidth = 20

// flights are the full syncs and verifies, and the rsyncs at work.
func (r *renderer) flights() section {
	s := section{title: "UNDER WAY"}
	for _, w := range r.rows {
		if w.Of.FullSync != nil || w.Of.Verify != nil || len(w.Of.InFlight) > 0 {
			r.named = max(r.named, r.m.StringWidth(r.shortName(w.Name)))
		}
	}
	for _, w := range r.rows {
		if f := w.Of.FullSync; f != nil && w.Of.State == replicate.StateFullSync && !f.Waiting && f.Total > 0 {
			text := "full sync"
			if f.Path != "" {
				text += " of " + names.Printable(f.Path)
			}
			s.lines = append(s.lines, r.progress(w.Name, int64(f.Done), int64(f.Total), fullLeft(f), text, false))
		}
		if v := w.Of.Verify; v != nil && v.Running != nil && v.Running.TotalDirs > 0 {
			p := v.Running
			left := fmt.Sprintf("%s of %s directories", status.Count(p.Dirs), status.Count(p.TotalDirs))
			s.lines = append(s.lines, r.progress(w.Name, int64(p.Dirs), int64(p.TotalDirs), left, "verify", false))
		}
	}
	for _, w := range r.rows {
		for _, b := range w.Of.InFlight {
			s.lines = append(s.lines, r.flight(w.Name, b))
		}
	}
	return s
}

// fullLeft: 48 210 files (5.0 GiB) left, ~12m34s.
func fullLeft(f *replicate.FullSyncStatus) string {
	if f.FilesLeft == nil || f.BytesLeft == nil {
		return fmt.Sprintf("%s of %s directories", status.Count(f.Done), status.Count(f.Total))
	}
	text := fmt.Sprintf("%s files (%s) left", status.Count(*f.FilesLeft), status.Bytes(*f.BytesLeft))
	if f.SecondsLeft != nil {
		text += ", ~" + status.Duration(time.Duration(*f.SecondsLeft*float64(time.Second)))
	}
	return text
}

// flight is one rsync: the file it has open, else the batch as a whole.
func (r *renderer) flight(remote string, b replicate.BatchStatus) Line {
	done, all, name := b.BytesDone, b.Bytes, b.Sample
	if c := b.Current; c != nil {
		done, all, name = c.Done, c.Size, c.Path
	}
	text := names.Printable(name)
	if b.Paths > 1 {
		text = fmt.Sprintf("%s  (%s paths)", text, status.Count(b.Paths))
	}
	amount := status.Duration(r.Now.Sub(b.Started))
	if all > 0 {
		amount = fmt.Sprintf("%s of %s", status.Bytes(done), status.Bytes(all))
		if b.Rate >= 1 {
			amount += "  " + status.Bytes(int64(b.Rate)) + "/s"
		}
	}
	return r.progress(remote, done, all, amount, text, true)
}

// progress: www/dr  ████▌░░░░░  45 %  12 MiB of 27 MiB  img/foo.jpg. Of a path the
// end is kept. What has the least to say goes first when there is no room.
func (r *renderer) progress(remote string, done, all int64, amount, what string, path bool) Line {
	line := Line{{r.m.pad(r.shortName(remote), r.named, false) + "  ", Plain}}
	if all > 0 {
		if r.Width >= 60 {
			line = append(line, Span{r.m.bar(done, all, barWidth), Cyan}, Span{" ", Plain})
		}
		line = append(line, Span{fmt.Sprintf("%3d %%  ", percent(done, all)), Plain})
	}
	if r.Width >= 60 || all <= 0 {
		line = append(line, Span{amount + "  ", Plain})
	}
	used := 0
	for _, s := range line {
		used += r.m.StringWidth(s.Text)
	}
	if path {
		what = r.m.cutFront(what, r.Width-used)
	}
	return trimmed(append(line, Span{what, Bold}))
}

func (r *renderer) shortName(remote string) string { return r.m.cut(remote, max(8, r.Width/3)) }

// percent is 100 only when all is done.
func percent(done, all int64) int64 {
	if done >= all {
		return 100
	}
	return min(99, int64(float64(max(0, done))/float64(all)*100))
}
