package page

import (
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/replicate"
)

// note is what the row of a remote says beside its numbers. What went wrong is
// told among the problems.
func (m *maker) note(r *replicate.Status) string {
	return m.notes(m.errorWord(r.Error), m.failingPaths(r), m.pauseReason(r.Paused), m.unkept(r), m.limit(r), m.verified(r))
}

func (m *maker) sinkNote(k *sink.Status) string {
	missed, waits := "", ""
	if k.Resync != nil {
		missed = m.say("note.resync", "reason", names.Printable(k.Resync.Reason))
	}
	if k.WaitsFor != "" && k.Error == nil && k.State == replicate.StateSyncing {
		waits = m.say("note.waits_for", "name", names.Printable(k.Source+"/"+k.WaitsFor))
	}
	return m.notes(m.errorWord(k.Error), missed, m.pauseReason(k.Paused), waits)
}

func (m *maker) errorWord(e *replicate.StatusError) string {
	if e == nil {
		return ""
	}
	return e.ID
}

func (m *maker) failingPaths(r *replicate.Status) string {
	if r.Failing == 0 {
		return ""
	}
	return m.say("note.failing", "n", count(r.Failing))
}

func (m *maker) pauseReason(p *replicate.PauseStatus) string {
	if p == nil {
		return ""
	}
	return names.Printable(p.Reason)
}

// unkept: not kept there: W-OWNERS, W-SYMLINKS.
func (m *maker) unkept(r *replicate.Status) string {
	var ids []string
	for _, f := range r.Findings {
		if f.Spoils {
			ids = append(ids, f.ID)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return m.say("note.unkept", "ids", strings.Join(ids, m.say("verdict.comma")))
}

// limit is worth a word only while it is about to change.
func (m *maker) limit(r *replicate.Status) string {
	switch {
	case millis(r.LimitUntil) == 0:
		return ""
	case r.Limit > 0:
		return m.say("note.limit", "size", size(r.Limit))
	}
	return m.say("note.no_limit")
}

func (m *maker) verified(r *replicate.Status) string {
	v := r.Verify
	switch {
	case v == nil || v.Running != nil || millis(v.Last) == 0:
		return ""
	case v.Unrepaired > 0:
		return m.say("note.differs", "n", count(v.Unrepaired))
	case v.Repaired > 0:
		return m.say("note.repaired", "n", count(v.Repaired))
	case v.Complete:
		return m.say("note.verified")
	}
	return m.say("note.verified_part")
}
