// Package strangers finds the remotes and sinks that the journal keeps a place for and the
// configuration does not have.
//
//	var c strangers.Counter
//	kept, err := c.Kept(j, conf, time.Now())
//
// A stranger pins entries as any remote does: config.Config.Has alone decides
// which is one.
package strangers

import (
	"fmt"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/journal"
	"gorsyncd/replicate"
)

// Stranger is one of them.
type Stranger struct {
	Source *journal.Source
	Remote *journal.Remote
}

// Name is source/remote, or source/sink.
func (s Stranger) Name() string { return s.Source.Name() + "/" + s.short() }

func (s Stranger) short() string {
	name, _ := sink.NameOf(s.Remote.Name())
	return name
}

// Of lists them sorted by name.
func Of(j *journal.Journal, c *config.Config) ([]Stranger, error) {
	var out []Stranger
	for _, name := range j.Sources() {
		src, err := j.Source(name)
		if err != nil {
			return nil, fmt.Errorf("open source %s in the journal: %w", name, err)
		}
		for _, remote := range src.Remotes() {
			if c.Has(name, remote) {
				continue
			}
			rem, err := src.Remote(remote)
			if err != nil {
				return nil, fmt.Errorf("open remote %s/%s in the journal: %w", name, remote, err)
			}
			out = append(out, Stranger{src, rem})
		}
	}
	return out, nil
}

// Find returns what the journal has of a remote, and false when it has nothing;
// nothing is made.
func Find(j *journal.Journal, source, remote string) (Stranger, bool, error) {
	for _, name := range j.Sources() {
		if name != source {
			continue
		}
		src, err := j.Source(name)
		if err != nil {
			return Stranger{}, false, fmt.Errorf("open source %s in the journal: %w", name, err)
		}
		for _, r := range src.Remotes() {
			if r == remote {
				rem, err := src.Remote(remote)
				return Stranger{src, rem}, err == nil, err
			}
		}
	}
	return Stranger{}, false, nil
}

// countShare bounds the cost of counting, for there may be millions of entries: it
// rests a hundred times as long as it took.
const countShare = 100

// Counter says how much is kept for strangers. The zero value is ready.
type Counter struct {
	mu     sync.Mutex
	counts map[string]count // guarded by mu
}

type count struct {
	head, low uint64
	lag       replicate.Lag
	next      time.Time // not counted again before
}

// Kept describes them. Where they are many, what has changed within the last seconds
// may not be counted yet.
func (c *Counter) Kept(j *journal.Journal, conf *config.Config, now time.Time) ([]status.Kept, error) {
	list, err := Of(j, conf)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out, counts := make([]status.Kept, 0, len(list)), map[string]count{}
	for _, s := range list {
		n, err := c.count(s, now)
		if err != nil {
			return nil, err
		}
		counts[s.Name()] = n
		k := status.Kept{
			Name: s.Name(), Source: s.Source.Name(), Remote: s.short(), Target: s.Remote.State().Target,
			CursorSeq: n.low, HeadSeq: n.head, LagEntries: n.lag.Entries, Failing: s.Remote.RetryCount(), FullSync: s.Remote.FullSync() != nil,
		}
		k.LagSeconds = n.lag.Seconds(j.FromWall(now))
		if t := s.Remote.State().LastSuccess; !t.IsZero() {
			t = t.UTC()
			k.LastSuccess = &t
		}
		out = append(out, k)
	}
	c.counts = counts
	return out, nil
}

// count counts again when something has changed, now and then.
func (c *Counter) count(s Stranger, now time.Time) (count, error) {
	cursor, head := s.Remote.Cursor(), s.Source.Head()
	old, known := c.counts[s.Name()]
	if known && old.low == cursor.Low && (old.head == head || now.Before(old.next)) {
		return old, nil
	}
	begin := time.Now()
	lag, err := replicate.StoredLag(s.Source, s.Remote, s.Remote.Name())
	if err != nil {
		return count{}, fmt.Errorf("%s: %w", s.Name(), err)
	}
	return count{head: head, low: cursor.Low, lag: lag, next: now.Add(countShare * time.Since(begin))}, nil
}
