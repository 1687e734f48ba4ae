package replicate

import (
	"context"
	"slices"
)

// second is the second look at candidates: each alone, as far as rsync allows,
// so that it is quick and little happens meanwhile.
type second struct {
	want  map[string]*candidate
	seen  map[string]*candidate // what still differs
	whole bool                  // what was not seen is equal
}

func newSecond(cands []*candidate) *second {
	s := &second{want: make(map[string]*candidate, len(cands)), seen: map[string]*candidate{}, whole: true}
	for _, c := range cands {
		s.want[c.path] = c
	}
	return s
}

func (s *second) take(path string, ch Change, top bool) {
	if s.seen[path] == nil {
		s.seen[path] = &candidate{path: path}
	}
	s.seen[path].add(ch, top)
}

// present takes in a line about what the source has.
func (s *second) present(ch Change) {
	if !ch.Delete {
		if s.want[ch.Path] != nil {
			s.take(ch.Path, ch, true)
		}
		return
	}
	// What is in a directory that stands in the way of a path.
	for p, ok := parentOf(ch.Path); ok; p, ok = parentOf(p) {
		if c := s.want[p]; c != nil && !c.before.isDir {
			s.take(p, ch, false)
			return
		}
	}
}

// again compares the candidates once more.
func (v *verify) again(ctx context.Context, s *second) error {
	var list, levels []string
	listed, leveled := map[string]bool{}, map[string]bool{}
	root := false
	for _, c := range s.want {
		parent, ok := parentOf(c.path)
		switch {
		case !ok:
			root = true
		case c.before.presence < IsDir:
			if !leveled[parent] {
				leveled[parent] = true
				levels = append(levels, parent)
			}
		default:
			for _, p := range append([]string{c.path}, c.names...) {
				if !listed[p] {
					listed[p] = true
					list = append(list, p)
				}
			}
		}
	}
	if len(list) > 0 {
		slices.Sort(list)
		if err := v.retried(ctx, s, func() (Result, error) { return v.cmp.paths(ctx, list, v.r.Checksum, s.present) }); err != nil {
			return err
		}
	}
	if root {
		if err := v.retried(ctx, s, func() (Result, error) { return v.cmp.root(ctx, s.present) }); err != nil {
			return err
		}
	}
	if !v.extras {
		return nil
	}
	return v.againLevels(ctx, s, levels)
}

// againLevels looks for what the source does not have.
func (v *verify) againLevels(ctx context.Context, s *second, dirs []string) error {
	run := func(dirs []string) error {
		sv := newSieve(dirs, 1, 0)
		return v.retried(ctx, s, func() (Result, error) {
			return v.cmp.levels(ctx, dirs, func(ch Change) {
				if !ch.Delete {
					return
				}
				if path, top := sv.topOf(ch.Path); s.want[path] != nil {
					s.take(path, ch, top)
				}
			})
		})
	}
	slices.Sort(dirs)
	if len(dirs) > 0 && dirs[0] == "" { // the root needs other arguments
		if err := run(dirs[:1]); err != nil {
			return err
		}
		dirs = dirs[1:]
	}
	for part := range slices.Chunk(dirs, chunkDirs) {
		if err := run(part); err != nil {
			return err
		}
	}
	return nil
}

// retried runs a comparison of single paths, again after failures that pass.
func (v *verify) retried(ctx context.Context, s *second, run func() (Result, error)) error {
	for tries := 1; ; tries++ {
		res, err := run()
		if err != nil {
			return err
		}
		again, err := v.judge(ctx, res, tries)
		if err != nil {
			return err
		}
		if !again {
			s.whole = s.whole && v.whole(res)
			return nil
		}
	}
}
