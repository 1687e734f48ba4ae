package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"
)

const (
	version = 1
	// maxFile is more than any Log takes.
	maxFile = 4 << 20
)

type document struct {
	Version int       `json:"version"`
	Spans   []spanDoc `json:"spans"`
	Outages []Outage  `json:"outages"`
	Runs    []Run     `json:"runs"`
}

type spanDoc struct {
	Hour      int64       `json:"hour"`
	Hours     int64       `json:"hours"`
	Delivered uint64      `json:"delivered"`
	Bytes     uint64      `json:"bytes"`
	Bins      [][2]uint64 `json:"bins"`
	Max       float64     `json:"max"`
	Behind    float64     `json:"behind"`
}

// Encode writes the document of the format.
func (l *Log) Encode() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := document{Version: version, Spans: []spanDoc{}, Outages: l.outages, Runs: l.runs}
	for _, s := range l.spans {
		doc := spanDoc{Hour: s.hour, Hours: s.hours, Delivered: s.delivered, Bytes: s.bytes, Bins: [][2]uint64{}, Max: s.max, Behind: s.behind}
		for k, n := range s.bins {
			if n > 0 {
				doc.Bins = append(doc.Bins, [2]uint64{uint64(k), uint64(n)})
			}
		}
		d.Spans = append(d.Spans, doc)
	}
	return json.Marshal(d)
}

// Decode reads one.
func Decode(b []byte) (*Log, error) {
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("decode history: %w", err)
	}
	if d.Version != version {
		return nil, fmt.Errorf("decode history: version %d is not known", d.Version)
	}
	l := &Log{}
	for _, s := range d.Spans {
		sp, err := s.span()
		if n := len(l.spans); err == nil && n > 0 && l.spans[n-1].hour+l.spans[n-1].hours > sp.hour {
			err = errors.New("out of order")
		}
		if err != nil {
			return nil, fmt.Errorf("decode history: hour %d: %w", s.Hour, err)
		}
		l.spans = append(l.spans, sp)
	}
	if len(l.spans) > 2*(hoursKept+KeepDays) {
		return nil, fmt.Errorf("decode history: %d hours are too many", len(l.spans))
	}
	for i, o := range d.Outages {
		if !sane(o.Begin) || !o.End.IsZero() && !sane(o.End) {
			return nil, fmt.Errorf("decode history: outage %d is at no time of ours", i)
		}
		if o.End.IsZero() && i < len(d.Outages)-1 || !o.End.IsZero() && o.End.Before(o.Begin) {
			return nil, fmt.Errorf("decode history: outage %d ends before it begins", i)
		}
		l.outage(Outage{o.Begin.UTC(), o.End.UTC(), short(o.ErrorID)})
	}
	for i, r := range d.Runs {
		if !sane(r.Begin) || !sane(r.End) {
			return nil, fmt.Errorf("decode history: run %d is at no time of ours", i)
		}
		l.Ran(r)
	}
	l.dirty = false
	return l, nil
}

// sane leaves out times that JSON could not take again.
func sane(t time.Time) bool { return t.UTC().Year() >= 1970 && t.UTC().Year() < 3000 }

func (s spanDoc) span() (*span, error) {
	sp := &span{hour: s.Hour, hours: s.Hours, delivered: s.Delivered, bytes: s.Bytes, max: s.Max, behind: s.Behind}
	switch {
	case s.Hour < 0 || s.Hour > math.MaxInt32 || s.Hours != 1 && (s.Hours != 24 || s.Hour%24 != 0):
		return nil, errors.New("no hour and no day")
	case s.Max < 0 || s.Behind < 0:
		return nil, errors.New("a time is negative")
	}
	for _, b := range s.Bins {
		if b[0] > lastBin || b[1] > math.MaxUint32 || sp.bins[b[0]] != 0 {
			return nil, fmt.Errorf("bin %d", b[0])
		}
		sp.bins[b[0]] = uint32(b[1])
	}
	return sp, nil
}

// Dir is where the histories are in a state directory, each under the full name of
// its remote.
func Dir(stateDir string) string { return filepath.Join(stateDir, "history") }

// Load reads the history in a file; none is an empty one. With an error, too, the
// history can be used: it is an empty one.
func Load(file string) (*Log, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &Log{}, nil
	}
	if err != nil {
		return &Log{}, fmt.Errorf("read history: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return &Log{}, fmt.Errorf("read history: %w", err)
	}
	l, err := Decode(b)
	if err != nil {
		return &Log{}, fmt.Errorf("%s: %w", file, err)
	}
	return l, nil
}

// Save replaces the file, if there is anything new.
func (l *Log) Save(file string) error {
	if !l.setDirty(false) {
		return nil
	}
	b, err := l.Encode()
	if err == nil {
		err = replace(file, b) // nobody who notes something waits for the disk
	}
	if err != nil {
		l.setDirty(true)
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}

func (l *Log) setDirty(dirty bool) (was bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was, l.dirty = l.dirty, dirty
	return was
}

// replace puts a file in place of another one, whole or not at all.
func replace(file string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	tmp := file + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
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
	if err == nil {
		err = os.Rename(tmp, file)
	}
	if err != nil {
		_ = os.Remove(tmp) // what could not be written is of no use
	}
	return err
}

// Since turns a length of time into the moment a report begins, KeepDays ago at
// most.
func Since(now time.Time, d time.Duration) time.Time {
	return now.Add(-min(d, KeepDays*24*time.Hour))
}
