package events

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Position is where a reader stands: the first seq of each source that it has
// not been given. Sources that it does not name are read from their beginning.
type Position struct {
	Epoch string // of the journal; "" for not known
	Next  map[string]uint64
}

// epochDigits of the epoch are enough to tell journals of one host apart.
const epochDigits = 16

// String is the form that ParsePosition takes: EPOCH@SOURCE:SEQ,SOURCE:SEQ.
func (p Position) String() string {
	var b strings.Builder
	if p.Epoch != "" {
		b.WriteString(p.Epoch + "@")
	}
	for i, name := range slices.Sorted(maps.Keys(p.Next)) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s:%d", name, p.Next[name])
	}
	return b.String()
}

// ParsePosition reads a position as String writes it, one without the epoch, or a
// bare seq, which stands in Next without a name.
func ParsePosition(text string) (Position, error) {
	p := Position{Next: map[string]uint64{}}
	rest := text
	if epoch, after, ok := strings.Cut(text, "@"); ok {
		if epoch == "" || strings.Trim(epoch, "0123456789abcdef") != "" {
			return Position{}, fmt.Errorf("%q is no position: %q is no journal's id", text, epoch)
		}
		p.Epoch, rest = epoch, after
		if rest == "" {
			return p, nil // of a journal without sources
		}
	}
	if seq, err := strconv.ParseUint(rest, 10, 64); err == nil && p.Epoch == "" {
		p.Next[""] = seq
		return p, nil
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, digits, ok := strings.Cut(part, ":")
		seq, err := strconv.ParseUint(digits, 10, 64)
		if !ok || name == "" || err != nil {
			return Position{}, fmt.Errorf("%q is no position: write SEQ, SOURCE:SEQ, or what a position line says", text)
		}
		if _, twice := p.Next[name]; twice {
			return Position{}, fmt.Errorf("%q is no position: %s is in it twice", text, name)
		}
		p.Next[name] = seq
	}
	return p, nil
}

// errSeveral is about a bare seq where there is more than one source.
var errSeveral = errors.New("each source counts its own seqs: name one with --source, or write SOURCE:SEQ")
