package watch

import (
	"context"
	"time"
)

const (
	confirmAfter = 50 * time.Millisecond // at least; more than the journal's racy window of 20 ms
	confirmEvery = 25 * time.Millisecond // those due in it share a step and a commit
	maxConfirms  = 1 << 17               // beyond, records stay racy until they are observed again
)

// confirms holds the paths whose records are racy: they are observed once more
// when no event came since. (An event that is received later still finds its
// file changed, see journal.Observation.Suspect.)
type confirms struct {
	live map[string]time.Duration // path to the time its confirmation is due
	list []confirmItem            // in order of due
}

type confirmItem struct {
	path string
	at   time.Duration
}

func (c *confirms) reset() {
	c.live, c.list = map[string]time.Duration{}, nil
}

func (c *confirms) add(path string, now time.Duration) {
	if len(c.list) >= maxConfirms {
		return
	}
	at := (now + confirmAfter).Truncate(confirmEvery) + confirmEvery
	c.live[path] = at
	c.list = append(c.list, confirmItem{path, at})
}

// forget is called for every event.
func (c *confirms) forget(path string) {
	if len(c.live) > 0 {
		delete(c.live, path)
	}
}

func (c *confirms) pending(path string) bool {
	_, ok := c.live[path]
	return ok
}

func (c *confirms) next() (time.Duration, bool) {
	if len(c.list) == 0 {
		return 0, false
	}
	return c.list[0].at, true
}

// take returns up to limit paths that are due and had no event.
func (c *confirms) take(now time.Duration, limit int) []string {
	var paths []string
	for len(c.list) > 0 && len(paths) < limit && c.list[0].at <= now {
		it := c.list[0]
		c.list = c.list[1:]
		if at, ok := c.live[it.path]; ok && at == it.at {
			delete(c.live, it.path)
			paths = append(paths, it.path)
		}
	}
	if len(c.list) == 0 {
		c.list = nil
	}
	return paths
}

// confirm observes what is due for confirmation. The time of the observation
// is read before the events are taken, so that an event not seen here is
// received after it.
func (t *Tree) confirm(ctx context.Context) (bool, error) {
	if at, ok := t.confirms.next(); !ok || at > t.now() || t.heldRoot != "" {
		return false, nil
	}
	at := time.Now().UnixNano()
	if err := t.takeEvents(); err != nil {
		return false, err
	}
	paths := t.confirms.take(t.now(), batchSize)
	list := make([]look, len(paths))
	for i, p := range paths {
		list[i] = look{path: p, confirm: at}
	}
	return true, t.lookAt(ctx, list)
}
