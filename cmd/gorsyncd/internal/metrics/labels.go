package metrics

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/replicate"
)

// label is a name and a value, in both forms.
type label struct {
	pair *dto.LabelPair
	text string // name="value"
}

var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// newLabel makes the value UTF-8; different values stay different.
func newLabel(name, value string) *label {
	value = names.Printable(value)
	return &label{&dto.LabelPair{Name: &name, Value: &value}, name + `="` + escaper.Replace(value) + `"`}
}

func labelsOf[T ~string](name string, values ...T) []*label {
	var out []*label
	for _, v := range values {
		out = append(out, newLabel(name, string(v)))
	}
	return out
}

// series is what the values of one thing have in common. Its labels are in the order
// of their names, which is how they have to be.
type series struct {
	pairs []*dto.LabelPair
	text  string
}

var nameless = &series{}

func newSeries(labels ...*label) *series {
	s := &series{}
	for i, l := range labels {
		s.pairs = append(s.pairs, l.pair)
		if i > 0 {
			s.text += ","
		}
		s.text += l.text
	}
	return s
}

// with returns the pairs with one more, which may be nil.
func (s *series) with(l *label) []*dto.LabelPair {
	if l == nil {
		return s.pairs
	}
	out := make([]*dto.LabelPair, 0, len(s.pairs)+1)
	i, _ := slices.BinarySearchFunc(s.pairs, l.pair, func(a, b *dto.LabelPair) int { return strings.Compare(*a.Name, *b.Name) })
	return append(append(append(out, s.pairs[:i]...), l.pair), s.pairs[i:]...)
}

var remoteStates = labelsOf("state", replicate.StateStarting, replicate.StateFullSync, replicate.StateInSync, replicate.StateSyncing,
	replicate.StateRetrying, replicate.StateFailing, replicate.StateHeld, replicate.StatePaused, replicate.StateWaiting)
