// Package metrics is what gorsyncd tells a monitoring system: /metrics in the
// text format of Prometheus, /healthz and /readyz.
//
// # Usage
//
//	m := metrics.New(metrics.Options{Status: d.Status, …})
//	counts := m.Remote("www", "nas")     // a replicate.Meter and Observer
//	…
//	m.Keep(configured)                   // after a reload
//	mux.Handle("GET /metrics", m.Metrics())
//
// # Model
//
// What is true at a moment (a state, a lag, a size) is read from one
// status.Status per scrape, which everybody gets who scrapes while it is being
// made. What adds up, and histograms, are counted where things happen: Counts is
// one set of atomic counters for each remote, which the dispatcher adds to
// without a lock and without an allocation.
//
// # Guarantees
//
//   - Every series of every configured remote, sink and source is there from the
//     first scrape on, also before the remote has been started: a rate needs the
//     zero before the first event. The one exception is an exit code of rsync that
//     is not one of the usual ones.
//   - Counters of a remote never go back while the daemon runs, not even when a
//     reload begins it anew. Those of sources and sinks, which are read from the
//     status, go on, too, but for what happened between the last scrape and the
//     new beginning. A remote that is no longer configured has no series.
//   - Labels are source, remote, state, result, class and code, of build_info
//     version and goversion, and notifier. A sink is a remote for this purpose: both are called
//     source/name and no name is taken twice. No label holds a file name, and each
//     is UTF-8 whatever was configured.
//   - A value that is not known, such as the time of a success that never was, is 0.
//   - A scrape does not wait for a source that hangs longer than Status does.
//
// # Rejected
//
// The registry of client_golang for our own series, with its histograms and its
// printer: of 500 remotes there are some 45,000 lines, and to collect them through a
// channel, hash, sort and print each took 60 ms and more, where to walk the status
// and append text takes 6. Metrics is a prometheus.Gatherer as well, in which the
// tests find the same series with the same values, and which they put through the
// checks of client_golang (prometheus.Gatherers, testutil.GatherAndLint). The
// collectors of the process and of the Go runtime are used as they are.
package metrics
