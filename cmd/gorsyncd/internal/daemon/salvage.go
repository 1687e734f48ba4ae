package daemon

import (
	"context"
	"errors"
	"fmt"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/journal"
)

// salvageBatch is how many paths are recorded at once.
const salvageBatch = 1000

// salvage begins the index of a fresh journal with the paths that the one set
// aside knew of. The first scan then notices which of them are gone; without
// it what was removed while the journal was unusable would stay on remotes
// that delete only what the source is known to have lost. An error is about
// the fresh journal.
func (d *Daemon) salvage(ctx context.Context, j *journal.Journal, aside string) error {
	s := salvager{ctx: ctx, d: d, j: j}
	err := journal.Salvage(aside, s.take)
	if err == nil {
		err = s.flush()
	}
	if s.failed != nil {
		return fmt.Errorf("begin the index of the fresh journal: %w", s.failed)
	}
	const note = "what was removed at a source and not yet on its remotes stays there, unless delete is all"
	if err != nil {
		d.log.Warn("nothing could be read from the journal set aside", "error", err, "note", note)
		return nil
	}
	d.log.Warn("paths that the journal set aside knew of are looked for", "paths", s.paths,
		"note", "where it is unreadable, "+note)
	return nil
}

// salvager records what Salvage yields, source by source.
type salvager struct {
	ctx    context.Context
	d      *Daemon
	j      *journal.Journal
	source string
	obs    []journal.Observation
	paths  int
	failed error // of the fresh journal
}

func (s *salvager) take(p journal.Salvaged) error {
	if p.Source != s.source || len(s.obs) >= salvageBatch {
		if err := s.flush(); err != nil {
			return err
		}
		s.source = p.Source
	}
	if !configured(s.d.cfg, p.Source) {
		return nil
	}
	if p.State.Type == journal.Gone {
		p.State.Type = journal.File // so that it is missed
	}
	s.obs = append(s.obs, journal.Observation{Path: p.Path, State: p.State, Baseline: true})
	return nil
}

func configured(c *config.Config, source string) bool {
	for _, s := range c.Sources {
		if s.Name == source {
			return true
		}
	}
	return false
}

// flush records what was collected, waiting for space.
func (s *salvager) flush() error {
	if len(s.obs) == 0 {
		return nil
	}
	var src *journal.Source
	err := s.d.patience.until(s.ctx, func() (err error) {
		src, err = s.j.Source(s.source)
		return err
	})
	if err == nil {
		_, err = patientSource{src, &s.d.patience}.Record(s.ctx, s.obs)
	}
	s.paths += len(s.obs)
	s.obs = s.obs[:0]
	s.failed = errors.Join(s.failed, err)
	return err
}
