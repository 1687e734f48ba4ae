package sink

import (
	"context"
	"slices"

	"gorsyncd/replicate"
)

// verdict is what came of a batch: its items before untold have arrived, but for those
// that are blamed; the others were not tried.
type verdict struct {
	Result // the last that was not good
	blamed []int
	untold int
}

func (v *verdict) isBlamed(i int) bool { return slices.Contains(v.blamed, i) }

func (v *verdict) blame(items []int) {
	for _, i := range items {
		if !v.isBlamed(i) {
			v.blamed = append(v.blamed, i)
		}
	}
}

// handOver calls the delivery, in pieces where there is more to tell of an event than
// itself. What the receiver rejects of a piece does not keep it from the next ones.
func (s *Sink) handOver(ctx context.Context, batch []*item) verdict {
	v := verdict{Result: delivered, untold: len(batch)}
	for p, err := range s.pieces(batch) {
		if err != nil {
			v.Result = transient("E-SINK", "", "%v", err)
			v.untold = p.last()
			return v
		}
		res := s.o.Delivery.Deliver(ctx, p.events)
		if res.Class == replicate.ClassOK {
			s.progress(batch, p, len(p.events), &v)
			continue
		}
		v.Result = res
		if len(res.Left) > 0 {
			s.progress(batch, p, res.Left[0], &v)
		}
		v.blame(p.blamed(res.Left))
		if res.Class == replicate.ClassEntry && res.Left != nil {
			continue
		}
		if p.partial {
			v.blame([]int{p.last()})
		}
		v.untold = p.last() + 1
		return v
	}
	return v
}

// progress remembers, of an item that is told in several pieces, how far it has come:
// up to its first event that is not delivered.
func (s *Sink) progress(batch []*item, p *piece, n int, v *verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range n {
		if i := p.items[e]; p.below[e] && !v.isBlamed(i) {
			s.told[batch[i].entry.Seq] = p.events[e].rel
		}
	}
}
