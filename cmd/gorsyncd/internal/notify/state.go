package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// stateVersion is that of the file.
const stateVersion = 1

// maxState bounds what is read of a state file.
const maxState = 64 << 20

// state is what survives a restart.
type state struct {
	V        int        `json:"v"`
	Saved    time.Time  `json:"saved"`
	Troubles []*trouble `json:"troubles"`
	Outbox   []Item     `json:"outbox"`
}

// snapshot is the state of now, in an order that depends on nothing else.
func (t *Tracker) snapshot(now time.Time, waiting []Item) state {
	s := state{V: stateVersion, Saved: now.UTC(), Troubles: []*trouble{}, Outbox: append([]Item{}, waiting...)}
	for _, k := range slices.SortedFunc(maps.Keys(t.all), func(a, b Key) int { return strings.Compare(a.Subject+"\x00"+a.Aspect, b.Subject+"\x00"+b.Aspect) }) {
		s.Troubles = append(s.Troubles, t.all[k])
	}
	return s
}

// restore goes on from a state. The time since it was saved counts for how long
// something has lasted, as far as the clock tells, and for nothing else.
func (t *Tracker) restore(s state, now time.Time) {
	down := max(0, now.Sub(s.Saved))
	for _, tr := range s.Troubles {
		if tr == nil {
			continue
		}
		tr.Lasted += down
		tr.blind = true // until it is seen
		t.all[tr.Key] = tr
	}
}

// readState reads a file; no error when there is none.
func readState(file string) (state, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	if err != nil {
		return state{}, err
	}
	defer f.Close()
	var s state
	if err := json.NewDecoder(io.LimitReader(f, maxState)).Decode(&s); err != nil {
		return state{}, fmt.Errorf("%s is damaged: %w", file, err)
	}
	if s.V != stateVersion {
		return state{}, fmt.Errorf("%s is of version %d, known is %d", file, s.V, stateVersion)
	}
	for i := range s.Outbox {
		it := &s.Outbox[i]
		it.Lasted = time.Duration(it.LastedSeconds * float64(time.Second))
		if it.over() && it.Until == nil {
			it.Until = &s.Saved
		}
	}
	return s, nil
}

// writeState replaces a file durably.
func writeState(file string, s state) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".state-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is none
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	return err
}
