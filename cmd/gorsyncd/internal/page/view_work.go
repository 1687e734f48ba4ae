package page

import (
	"fmt"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/replicate"
)

// Work is a full sync or a verify under way.
type Work struct {
	Key    string `json:"key"`
	Name   string `json:"name"`
	Word   string `json:"word"`
	Reason string `json:"reason"`
	Done   string `json:"done"`
	Left   string `json:"left"`
	Value  int64  `json:"value"` // of Max
	Max    int64  `json:"max"`   // 0: not known yet
	Since  int64  `json:"since"`
}

// Flight is an rsync under way.
type Flight struct {
	Key   string `json:"key"`
	Name  string `json:"name"`
	Word  string `json:"word"` // what it does
	What  string `json:"what"` // paths
	Bytes string `json:"bytes"`
	Value int64  `json:"value"`
	Max   int64  `json:"max"`
	Since int64  `json:"since"`
	Rate  string `json:"rate"`
	File  string `json:"file"` // the one on its way, or one of the batch
	Part  string `json:"part"` // of it
}

func (m *maker) works() []Work {
	out := []Work{}
	for i := range m.s.Remotes {
		r := &m.s.Remotes[i]
		if f := r.FullSync; f != nil {
			out = append(out, m.fullSync(r.Name, f))
		}
		if v := r.Verify; v != nil && v.Running != nil {
			out = append(out, m.verify(r.Name, v.Running))
		}
	}
	return out
}

func (m *maker) fullSync(name string, f *replicate.FullSyncStatus) Work {
	w := Work{Key: "full " + name, Name: names.Printable(name), Word: m.stateWord(replicate.StateFullSync), Reason: names.Printable(f.Reason), Since: millis(&f.Started)}
	switch {
	case f.Waiting:
		w.Done = m.say("work.waiting")
		return w
	case f.Links:
		w.Done = m.say("work.links")
		return w
	}
	w.Value, w.Max = int64(f.Done), int64(f.Total)
	w.Done = m.say("work.dirs", "done", count(f.Done), "total", count(f.Total))
	if f.FilesLeft == nil || f.BytesLeft == nil {
		return w
	}
	time := ""
	if f.SecondsLeft != nil {
		time = m.say("work.time", "d", m.seconds(*f.SecondsLeft))
	}
	w.Left = m.say("work.left", "files", m.say("count.files", "n", count(*f.FilesLeft)), "size", size(*f.BytesLeft), "time", time)
	return w
}

func (m *maker) verify(name string, v *replicate.VerifyProgress) Work {
	return Work{Key: "verify " + name, Name: names.Printable(name), Word: m.say("work.verify"),
		Done: m.say("work.dirs", "done", count(v.Dirs), "total", count(v.TotalDirs)),
		Left: m.say("work.differences", "n", count(v.Differences)), Value: int64(v.Dirs), Max: int64(v.TotalDirs)}
}

func (m *maker) flights() []Flight {
	out := []Flight{}
	for i := range m.s.Remotes {
		r := &m.s.Remotes[i]
		for j := range r.InFlight {
			out = append(out, m.flight(r, &r.InFlight[j]))
		}
	}
	return out
}

func (m *maker) flight(r *replicate.Status, b *replicate.BatchStatus) Flight {
	f := Flight{Key: fmt.Sprintf("%s %d", r.Name, b.ID), Name: names.Printable(r.Name), Word: m.kind(b.Kind),
		What: m.say("count.paths", "n", count(b.Paths)), Since: millis(&b.Started), File: names.Printable(b.Sample)}
	f.Max = b.Bytes
	m.progress(&f, b)
	return f
}

func (m *maker) kind(kind string) string {
	if text := m.known("kind." + kind); text != "" {
		return text
	}
	return kind
}
