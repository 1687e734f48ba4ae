package judge

import (
	"fmt"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// idDiverged is the error of a remote that a verify found to differ.
const idDiverged = "E-DIVERGED"

func sight(subject, aspect string) notify.Sight {
	return notify.Sight{Key: notify.Key{Subject: subject, Aspect: aspect}}
}

// unknown tells whether a remote in that state can be judged at all.
func unknown(st replicate.State) bool {
	return st == replicate.StatePaused || st == replicate.StateWaiting || st == replicate.StateStarting
}

func sourceHeld(src *status.Source) bool { return src != nil && src.State == watch.StateHeld }

func (j *Judge) remote(r *replicate.Status, src *status.Source) notify.Sight {
	s := sight(r.Name, notify.AspectState)
	c := notify.Condition{Command: "gorsyncd status " + r.Name}
	if e := r.Error; e != nil {
		c.ID, c.Text, c.Hint = e.ID, e.Message, e.Hint
		if e.Path != "" {
			c.Text += " (" + names.Shorten(e.Path, 120) + ")"
		}
		if r.Failing > 1 {
			c.Text += fmt.Sprintf("; %d paths failing", r.Failing)
		}
	}
	switch {
	case unknown(r.State):
		s.Health = notify.Unknown
		return s
	case r.State == replicate.StateHeld:
		c.Kind, c.ID, c.Text, c.Command = notify.Held, "", "held", "gorsyncd approve "+r.Name
		if h := r.Held; h != nil {
			c.ID, c.Text = splitID(h.Reason)
			c.Since = h.Since
		}
	case r.State == replicate.StateFailing && r.Error != nil && r.Error.ID == idDiverged:
		c.Kind, c.Hint, c.Command = notify.Diverged, "", "gorsyncd verify "+r.Name+" --repair"
		if r.Verify != nil && r.Verify.FoundAt != nil {
			c.Since = *r.Verify.FoundAt
		}
	case r.State == replicate.StateFailing:
		c.Kind = notify.Failing
	case r.State == replicate.StateRetrying:
		c.Kind = notify.Retrying
	case sourceHeld(src):
		s.Health = notify.Unknown
		return s
	default:
		return s
	}
	s.Health, s.Condition = notify.Ill, clean(c)
	return s
}

// splitID takes the id off a reason such as "G-MAXDELETE would delete …".
func splitID(reason string) (id, text string) {
	head, rest, ok := strings.Cut(reason, " ")
	head = strings.TrimSuffix(head, ":")
	if ok && len(head) > 2 && head[1] == '-' && strings.ToUpper(head) == head {
		return head, rest
	}
	return "", reason
}

// clean makes what came from elsewhere fit to be shown.
func clean(c notify.Condition) notify.Condition {
	for _, p := range []*string{&c.Text, &c.Hint} {
		*p = names.Printable(strings.Join(strings.Fields(*p), " "))
	}
	return c
}

func (j *Judge) lag(name string, st replicate.State, seconds float64, src *status.Source) notify.Sight {
	s := sight(name, notify.AspectLag)
	lag := time.Duration(seconds * float64(time.Second))
	switch {
	case unknown(st) || st == replicate.StateHeld || sourceHeld(src):
		s.Health = notify.Unknown
	case j.o.MaxLag > 0 && lag > j.o.MaxLag:
		s.Health = notify.Ill
		s.Condition = notify.Condition{Kind: notify.Lagging, Text: fmt.Sprintf("%s behind, max_lag is %s", status.Duration(lag), status.Duration(j.o.MaxLag)),
			Command: "gorsyncd status " + name}
	}
	return s
}

func sinkSight(k *sink.Status) notify.Sight {
	s := sight(k.Name, notify.AspectState)
	switch {
	case unknown(k.State):
		s.Health = notify.Unknown
	case k.State == replicate.StateFailing || k.State == replicate.StateRetrying:
		c := notify.Condition{Kind: notify.Sink, Command: "gorsyncd status " + k.Name}
		if e := k.Error; e != nil {
			c.ID, c.Text, c.Hint = e.ID, e.Message, e.Hint
		}
		s.Health, s.Condition = notify.Ill, clean(c)
	}
	return s
}

func source(src *status.Source) notify.Sight {
	s := sight(src.Name, notify.AspectState)
	switch src.State {
	case watch.StateHeld:
		id, text := splitID(src.Held)
		s.Health = notify.Ill
		c := notify.Condition{Kind: notify.Held, ID: id, Text: text, Command: "gorsyncd approve '" + src.Name + "/*'"}
		if !src.Approvable() {
			c.Hint, c.Command = strings.Join(src.Hints, "; "), "gorsyncd doctor"
		}
		s.Condition = clean(c)
	case watch.StateStarting:
		s.Health = notify.Unknown
	}
	return s
}

// watching is about directories that are not watched, and about lost events, each of
// which has been made good by a scan.
func (j *Judge) watching(src *status.Source, elapsed time.Duration) notify.Sight {
	s := sight(src.Name, notify.AspectWatch)
	o := j.overflows[src.Name]
	switch {
	case o == nil:
		o = &overflow{count: src.Overflows}
		j.overflows[src.Name] = o
	case src.Overflows > o.count:
		*o = overflow{count: src.Overflows, seen: true}
	default:
		o.count = src.Overflows
		o.since += elapsed
	}
	c := notify.Condition{Kind: notify.Watch, Command: "gorsyncd doctor"}
	switch {
	case src.Unwatched > 0:
		c.Text = fmt.Sprintf("%d directories are not watched, but scanned from time to time", src.Unwatched)
		c.Hint = strings.Join(src.Hints, "; ")
	case o.seen && o.since < settled:
		c.Text = fmt.Sprintf("the kernel's event queue overflowed (%d times since the start), each time followed by a scan", src.Overflows)
		c.Hint = strings.Join(src.Hints, "; ")
	case src.State == watch.StateStarting || src.State == watch.StateScanning:
		s.Health = notify.Unknown
		return s
	default:
		return s
	}
	s.Health, s.Condition = notify.Ill, clean(c)
	return s
}

func journalSight(j *status.Journal) notify.Sight {
	s := sight(notify.SubjectJournal, notify.AspectState)
	c := notify.Condition{Kind: notify.Journal, Command: "gorsyncd journal stats"}
	switch {
	case j.Waiting != "":
		c.Text = "nothing can be journaled, and nothing is lost: " + j.Waiting
		c.Hint = "make room on its file system"
	case j.NearlyFull():
		c.Text = fmt.Sprintf("it holds %s of at most %s", status.Bytes(j.SizeBytes), status.Bytes(j.MaxBytes))
		if j.PinnedBy != "" {
			c.Hint = "held up by " + j.PinnedBy
		}
	default:
		return s
	}
	s.Health, s.Condition = notify.Ill, clean(c)
	return s
}

func reloadSight(d *status.Daemon) notify.Sight {
	s := sight(notify.SubjectSelf, notify.AspectConf)
	if d != nil && d.LastReloadError != "" {
		first, _, _ := strings.Cut(d.LastReloadError, "\n")
		c := notify.Condition{Kind: notify.Reload, Text: "the configuration before it is in use: " + first, Command: "gorsyncd config check"}
		if d.LastReload != nil {
			c.Since = *d.LastReload
		}
		s.Health, s.Condition = notify.Ill, clean(c)
	}
	return s
}

// crashSight: a process that has run for a while since is taken for well.
func crashSight(d *status.Daemon, about Daemon) notify.Sight {
	s := sight(notify.SubjectSelf, notify.AspectCrash)
	if d != nil && about.Crashed != "" && d.UptimeSeconds < settled.Seconds() {
		s.Health = notify.Ill
		s.Condition = clean(notify.Condition{Kind: notify.Crash, Text: about.Crashed, Command: "journalctl -u gorsyncd", AtOnce: true})
	}
	return s
}
