package metrics

import (
	"runtime"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"

	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

const prefix = "gorsyncd_"

// family is one metric with all its series.
type family struct {
	name, help string // name without the prefix
	kind       dto.MetricType
	fill       func(*snapshot, writer)
}

const (
	gauge     = dto.MetricType_GAUGE
	counter   = dto.MetricType_COUNTER
	histogram = dto.MetricType_HISTOGRAM
)

// once is one value without labels.
func once(value func(*snapshot) float64) func(*snapshot, writer) {
	return func(s *snapshot, w writer) { w.add(nameless, nil, value(s)) }
}

// ofSources is a value of each source.
func ofSources(value func(*status.Source) float64) func(*snapshot, writer) {
	return func(s *snapshot, w writer) {
		for i := range s.Sources {
			w.add(s.sources[i], nil, value(&s.Sources[i]))
		}
	}
}

// ofRemotes is a value of each remote's status.
func ofRemotes(value func(*replicate.Status) float64) func(*snapshot, writer) {
	return func(s *snapshot, w writer) {
		for i := range s.Remotes {
			w.add(s.remotes[i], nil, value(&s.Remotes[i]))
		}
	}
}

// ofCounts is a value of each remote's counts.
func ofCounts(value func(*Counts) uint64) func(*snapshot, writer) {
	return func(s *snapshot, w writer) {
		for i, c := range s.counts {
			w.add(s.remotes[i], nil, float64(value(c)))
		}
	}
}

// ofSinks is a value of each sink.
func ofSinks(value func(*sink.Status) float64) func(*snapshot, writer) {
	return func(s *snapshot, w writer) {
		for i := range s.Sinks {
			w.add(s.sinks[i], nil, value(&s.Sinks[i]))
		}
	}
}

// unix is 0 for a time that is not known.
func unix(t *time.Time) float64 {
	if t == nil || t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

var sourceStates = labelsOf("state", watch.StateStarting, watch.StateScanning, watch.StateWatching, watch.StateHeld)

var (
	resultLabels, exitLabels      = countLabels()
	retryLabels                   = labelsOf("class", retryClasses...)
	verifyLabels                  = labelsOf("result", verifyResults...)
	deliveredLabel, rejectedLabel = newLabel("result", "delivered"), newLabel("result", "rejected")
)

func countLabels() (result, exit []*label) {
	for _, r := range results {
		result = append(result, newLabel("result", r.label))
	}
	for code := range maxExit + 1 {
		exit = append(exit, newLabel("code", exitLabel(code)))
	}
	return result, exit
}

// families is everything but what is known of the process and the Go runtime.
var families = slices.Concat(daemonFamilies, sourceFamilies, remoteFamilies, sinkFamilies, notifierFamilies)

var daemonFamilies = []family{
	{"build_info", "Always 1; the labels tell which gorsyncd this is.", gauge, func(s *snapshot, w writer) {
		w.add(newSeries(newLabel("goversion", runtime.Version()), newLabel("version", s.m.o.Version)), nil, 1)
	}},
	{"config_last_reload_successful", "1 unless the last reload of the configuration was refused or failed.", gauge, once(func(s *snapshot) float64 {
		return flag(s.Daemon == nil || s.Daemon.LastReloadError == "")
	})},
	{"config_last_reload_timestamp_seconds", "When the configuration was last read again, 0 for never.", gauge, once(func(s *snapshot) float64 {
		if s.Daemon == nil {
			return 0
		}
		return unix(s.Daemon.LastReload)
	})},
	{"config_keys_needing_restart", "Keys of the configuration that were changed and that only a start applies.", gauge, once(func(s *snapshot) float64 {
		if s.Daemon == nil {
			return 0
		}
		return float64(len(s.Daemon.NeedsRestart))
	})},
	{"loops_hanging", "Loops that show no sign of life: the watchdog is not kicked any more.", gauge, once(func(s *snapshot) float64 { return float64(s.loops.Hanging) })},
	{"loops_waiting_for", "Sources or disks that do not answer and that loops wait for.", gauge, once(func(s *snapshot) float64 { return float64(len(s.loops.Waiting)) })},
	{"journal_head_seq", "Entries ever written to the journal, over all sources.", gauge, once(func(s *snapshot) float64 { return float64(s.Journal.HeadSeq) })},
	{"journal_entries", "Entries that the journal keeps.", gauge, once(func(s *snapshot) float64 { return float64(s.Journal.Entries) })},
	{"journal_size_bytes", "Size of the journal on disk.", gauge, once(func(s *snapshot) float64 { return float64(s.Journal.SizeBytes) })},
	{"journal_max_bytes", "journal.max_size: beyond it the remote furthest behind loses its place. 0 is no limit.", gauge, once(func(s *snapshot) float64 { return float64(s.Journal.MaxBytes) })},
	{"journal_oldest_entry_timestamp_seconds", "When the oldest entry was journaled, 0 when there is none.", gauge, once(func(s *snapshot) float64 { return unix(s.Journal.OldestEntry) })},
	{"journal_waiting", "1 while nothing can be journaled because there is no space.", gauge, once(func(s *snapshot) float64 { return flag(s.Journal.Waiting != "") })},
	{"journal_append_duration_seconds", "How long a group of writes to the journal took until it was on disk.", histogram, func(s *snapshot, w writer) { w.histogram(nameless, s.m.appends) }},
	{"watch_limit", "Watches that the kernel allows the user, 0 when not known (fs.inotify.max_user_watches).", gauge, once(func(s *snapshot) float64 {
		limit := 0
		for i := range s.Sources {
			limit = max(limit, s.Sources[i].WatchLimit)
		}
		return float64(limit)
	})},
}

var sourceFamilies = []family{
	{"source_state", "1 for the state that the source is in.", gauge, func(s *snapshot, w writer) {
		for i := range s.Sources {
			oneHot(w, s.sources[i], sourceStates, s.Sources[i].State)
		}
	}},
	{"source_directories", "Directories that are known and not excluded.", gauge, ofSources(func(s *status.Source) float64 { return float64(s.Dirs) })},
	{"source_unwatched_directories", "Directories without a watch, which are scanned from time to time.", gauge, ofSources(func(s *status.Source) float64 { return float64(s.Unwatched) })},
	{"source_scans_total", "Complete scans of the tree.", counter, ofSources(func(s *status.Source) float64 { return float64(s.Scans) })},
	{"events_total", "Events received from the kernel; equal ones in a row are one.", counter, ofSources(func(s *status.Source) float64 { return float64(s.Events) })},
	{"events_coalesced_total", "Events of a path that was to be looked at anyway.", counter, ofSources(func(s *status.Source) float64 { return float64(s.Coalesced) })},
	{"watches", "Watches of inotify in use.", gauge, ofSources(func(s *status.Source) float64 { return float64(s.Watches) })},
	{"watch_errors_total", "Paths that could not be looked at or watched.", counter, ofSources(func(s *status.Source) float64 { return float64(s.WatchErrors) })},
	{"watch_overflows_total", "Times that events were lost and the tree was scanned for that.", counter, ofSources(func(s *status.Source) float64 { return float64(s.Overflows) })},
}

var sinkFamilies = []family{
	{"sink_state", "1 for the state that the sink is in.", gauge, func(s *snapshot, w writer) {
		for i := range s.Sinks {
			oneHot(w, s.sinks[i], remoteStates, string(s.Sinks[i].State))
		}
	}},
	{"sink_lag_entries", "Events that the receiver has not had.", gauge, ofSinks(func(k *sink.Status) float64 { return float64(k.LagEntries) })},
	{"sink_lag_seconds", "Age of the oldest of them.", gauge, ofSinks(func(k *sink.Status) float64 { return k.LagSeconds })},
	{"sink_failing_events", "Events that the receiver has rejected and that are tried again.", gauge, ofSinks(func(k *sink.Status) float64 { return float64(k.Failing) })},
	{"sink_last_success_timestamp_seconds", "When the receiver last took something, 0 for never.", gauge, ofSinks(func(k *sink.Status) float64 { return unix(k.LastSuccess) })},
	{"sink_deliveries_total", "Attempts to deliver, whatever came of them.", counter, ofSinks(func(k *sink.Status) float64 { return float64(k.Deliveries) })},
	{"sink_events_total", "Events that were delivered, or rejected, each time.", counter, func(s *snapshot, w writer) {
		for i := range s.Sinks {
			w.add(s.sinks[i], deliveredLabel, float64(s.Sinks[i].Delivered))
			w.add(s.sinks[i], rejectedLabel, float64(s.Sinks[i].Rejected))
		}
	}},
}
