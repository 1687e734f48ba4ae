package status

import (
	"encoding/json"
	"unicode/utf8"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/replicate"
)

// MarshalJSON keeps names that are not UTF-8 recoverable: beside a sample or a
// path there is a second key with _b64 when it needs one. Lists are never
// null. Reading the document back needs no counterpart: the plain keys are
// those of the structs.
func (s Status) MarshalJSON() ([]byte, error) {
	doc := document{plain: plain(s), Sources: make([]sourceDoc, 0, len(s.Sources)), Remotes: make([]remoteDoc, 0, len(s.Remotes))}
	for _, src := range s.Sources {
		d := sourceDoc{Source: src, Unwatched: []string{}, Hints: src.Hints}
		for _, p := range src.UnwatchedSample {
			d.Unwatched = append(d.Unwatched, names.Printable(p))
		}
		if d.Hints == nil {
			d.Hints = []string{}
		}
		doc.Sources = append(doc.Sources, d)
	}
	if doc.plain.Kept == nil {
		doc.plain.Kept = []Kept{}
	}
	if doc.plain.Notifiers == nil {
		doc.plain.Notifiers = []notify.Status{}
	}
	if d := s.Daemon; d != nil && d.NeedsRestart == nil {
		with := *d
		with.NeedsRestart = []string{}
		doc.plain.Daemon = &with
	}
	for _, r := range s.Remotes {
		doc.Remotes = append(doc.Remotes, newRemoteDoc(r))
	}
	return json.Marshal(doc)
}

// JSONShape is for the schema of the document.
func (Status) JSONShape() any { return document{} }

type plain Status // without its methods

type document struct {
	plain
	Sources []sourceDoc `json:"sources"`
	Remotes []remoteDoc `json:"remotes"`
}

type sourceDoc struct {
	Source
	Unwatched []string `json:"unwatched_sample"`
	Hints     []string `json:"hints"`
}

// remoteDoc replaces the fields of a remote that hold file names; the outer
// field of the same key wins.
type remoteDoc struct {
	replicate.Status
	InFlight []batchDoc `json:"in_flight"`
	Error    *errorDoc  `json:"error"`
}

type batchDoc struct {
	replicate.BatchStatus
	Sample    string `json:"sample"`
	SampleB64 string `json:"sample_b64,omitempty"`
}

type errorDoc struct {
	replicate.StatusError
	Path    string `json:"path,omitempty"`
	PathB64 string `json:"path_b64,omitempty"`
}

func newRemoteDoc(r replicate.Status) remoteDoc {
	d := remoteDoc{Status: r, InFlight: make([]batchDoc, 0, len(r.InFlight))}
	for _, b := range r.InFlight {
		p := names.NewPath(b.Sample)
		d.InFlight = append(d.InFlight, batchDoc{BatchStatus: b, Sample: p.Text, SampleB64: p.B64})
	}
	if d.Findings == nil {
		d.Findings = []replicate.FindingStatus{}
	}
	if r.Error != nil {
		p := names.NewPath(r.Error.Path)
		d.Error = &errorDoc{StatusError: *r.Error, Path: p.Text, PathB64: p.B64}
		if !utf8.ValidString(d.Error.Message) {
			d.Error.Message = names.Printable(d.Error.Message)
		}
	}
	return d
}
