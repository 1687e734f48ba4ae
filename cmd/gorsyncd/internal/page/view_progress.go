package page

import (
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/replicate"
)

// progress says how far a batch and the file on its way are.
func (m *maker) progress(f *Flight, b *replicate.BatchStatus) {
	f.Value = b.BytesDone
	if b.Bytes > 0 {
		f.Bytes = m.say("flight.of", "done", size(b.BytesDone), "size", size(b.Bytes))
	}
	if b.Rate >= 1 {
		f.Rate = m.say("rate", "size", size(uint64(b.Rate)))
	}
	if c := b.Current; c != nil {
		f.File, f.Part = names.Printable(c.Path), m.say("flight.of", "done", size(c.Done), "size", size(c.Size))
	}
}
