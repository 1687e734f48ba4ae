package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"gorsyncd/journal/failpoint"
)

// sideFile is what is kept beside the database to notice that it was lost,
// emptied or replaced by an older one: Badger opens such a directory without
// complaint.
type sideFile struct {
	Version int               `json:"version"`
	Epoch   string            `json:"epoch"`            // random, the same in the database
	Heads   map[string]uint64 `json:"heads"`            // per source, acknowledged at the time of writing
	Serial  uint64            `json:"serial,omitempty"` // of the newest commit then; not in version 1
	Sum     uint32            `json:"sum"`              // CRC-32C of the rest
}

func sidePath(dir string) string { return filepath.Clean(dir) + ".check" }

func (f *sideFile) sum() uint32 {
	g := *f
	g.Sum = 0
	b, err := json.Marshal(&g)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return crc32.Checksum(b, castagnoli)
}

// readSide returns nil when there is no side file.
func readSide(dir string) (*sideFile, error) {
	b, err := os.ReadFile(sidePath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read journal checkpoint: %w", err)
	}
	f := new(sideFile)
	err = json.Unmarshal(b, f)
	switch {
	case err != nil:
	case f.Version != 1 && f.Version != 2:
		err = fmt.Errorf("unknown version %d", f.Version)
	case f.Sum != f.sum():
		err = errChecksum
	}
	if err != nil {
		return nil, &CorruptError{Dir: dir, Place: sidePath(dir), Err: err}
	}
	return f, nil
}

// writeSide replaces the side file so that a crash leaves the old or the new
// one.
func writeSide(dir string, f *sideFile) error {
	f.Version = 2
	f.Sum = f.sum()
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode journal checkpoint: %w", err)
	}
	name := sidePath(dir)
	if err := writeDurable(name+".tmp", append(b, '\n')); err != nil {
		return fmt.Errorf("write journal checkpoint: %w", err)
	}
	failpoint.Hit("journal.checkpoint.written")
	if err := os.Rename(name+".tmp", name); err != nil {
		return fmt.Errorf("write journal checkpoint: %w", err)
	}
	failpoint.Hit("journal.checkpoint.placed")
	return syncDir(filepath.Dir(name))
}

func writeDurable(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

// checkpoint writes the heads and the serial acknowledged so far to the side
// file, if there was a commit.
func (j *Journal) checkpoint() error {
	j.checkpointing.Lock()
	defer j.checkpointing.Unlock()
	f := &sideFile{Epoch: j.epoch, Heads: map[string]uint64{}, Serial: j.serial.Load()}
	for _, s := range j.all() {
		f.Heads[s.name] = s.Head()
	}
	j.clock.keep(false)
	if j.side != nil && j.side.Serial == f.Serial && maps.Equal(f.Heads, j.side.Heads) {
		return nil
	}
	if err := writeSide(j.dir, f); err != nil {
		return err
	}
	j.side = f
	return nil
}
