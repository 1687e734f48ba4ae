package status

import (
	"reflect"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// TestVerdictInParts: what a translation is made of.
func TestVerdictInParts(t *testing.T) {
	s := New(now, FromDaemon)
	if v := s.Verdict(); v.Kind != VerdictNothing || len(v.Parts) != 0 {
		t.Errorf("%+v", v)
	}
	s.Remotes = []replicate.Status{{Name: "a/b", State: replicate.StateInSync}}
	s.Sinks = []sink.Status{{Name: "a/hook", State: replicate.StateSyncing}}
	if v, want := s.Verdict(), (Verdict{Kind: VerdictBehind, Remotes: 1, Sinks: 1, Parts: []VerdictPart{{OfSink, "a/hook", replicate.StateSyncing}}}); !reflect.DeepEqual(v, want) {
		t.Errorf("%+v", v)
	}
	s.From = FromJournal
	s.Journal.Waiting = "the disk is full"
	s.Sources = []Source{{Name: "a", Status: watch.Status{State: "held"}}}
	s.Remotes[0].State = replicate.StateFailing
	want := Verdict{Kind: VerdictProblem, Offline: true, Remotes: 1, Sinks: 1, Parts: []VerdictPart{
		{What: OfJournal}, {OfSource, "a", replicate.StateHeld}, {OfRemote, "a/b", replicate.StateFailing}}}
	if v := s.Verdict(); !reflect.DeepEqual(v, want) {
		t.Errorf("%+v", v)
	}
	if got := s.Verdict().String(); got != "when it ended: 3 need you: the journal waits for space, source a is held, a/b is failing" {
		t.Error(got)
	}
}
