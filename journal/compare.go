package journal

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// compare returns what the database lacks that pulse or side file know of, ""
// when it lacks nothing.
func (j *Journal) compare(fresh bool, beat *heartbeat) string {
	if lost := j.compareSide(fresh); lost != "" {
		return lost
	}
	name := filepath.Join(j.dir, pulseName)
	switch {
	case beat == nil && j.side != nil && j.side.Version > 1:
		return fmt.Sprintf("the file %s is missing", name)
	case beat == nil:
		return ""
	case fresh || beat.Epoch != j.epoch:
		return fmt.Sprintf("the database is another one than %s belongs to", name)
	case beat.foreign(j.dir):
		return "the files are a copy, and an older one may have been put back"
	case j.top.Serial < beat.Serial:
		return fmt.Sprintf("the newest commit is number %d, but %d were acknowledged", j.top.Serial, beat.Serial)
	}
	return ""
}

func (j *Journal) compareSide(fresh bool) string {
	switch {
	case j.side == nil && len(j.sources) > 0:
		return fmt.Sprintf("the file %s is missing, so that an older copy may have been put back", sidePath(j.dir))
	case j.side == nil:
		return ""
	case fresh:
		return fmt.Sprintf("the database is empty, but %s belongs to one", sidePath(j.dir))
	case j.side.Epoch != j.epoch:
		return fmt.Sprintf("the database is another one (epoch %s) than %s belongs to (epoch %s)",
			j.epoch, sidePath(j.dir), j.side.Epoch)
	}
	for _, name := range slices.Sorted(maps.Keys(j.side.Heads)) {
		want := j.side.Heads[name]
		s := j.sources[name]
		if s == nil {
			return fmt.Sprintf("source %s is missing", name)
		}
		if s.h.Head < want {
			return fmt.Sprintf("source %s ends at seq %d, but %d was acknowledged", name, s.h.Head, want)
		}
	}
	if j.top.Serial < j.side.Serial {
		return fmt.Sprintf("the newest commit is number %d, but %d were acknowledged", j.top.Serial, j.side.Serial)
	}
	return ""
}
