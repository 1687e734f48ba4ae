// Package history remembers how a remote was served: how much it was sent, how
// long changes took to arrive, when it was down, and what full syncs and verifies
// came to. It answers `gorsyncd report`.
//
// # Usage
//
//	log := history.Load(file)            // an empty one when there is none
//	log.Delivered(now, changed)          // any goroutine, some nanoseconds
//	err := log.Save(file)
//	sum := log.Sum(since, now)
//	hours := log.Spans(since, now)
//
// # Properties
//
//   - Time comes in with every call; nothing is read from a clock.
//   - Its size is bounded: hours for a week, days up to KeepDays, at most
//     maxOutages and maxRuns of the newest.
//   - Latencies are counted in bins that grow by a quarter each, so a percentile
//     is the upper bound of its bin: at most 26 % above the truth, never below.
//   - It is written as a whole and replaces the file at once. A crash loses what
//     came after the last Save.
//
// # Format
//
// A JSON document, version 1:
//
//	{"version":1,
//	 "spans":[{"hour":495000,"hours":1,"delivered":12,"bytes":4096,
//	           "bins":[[17,10],[18,2]],"max":0.063,"behind":0.1}],
//	 "outages":[{"begin":"…","end":"…","error_id":"E-CONNECT"}],
//	 "runs":[{"kind":"verify","begin":"…","end":"…",…}]}
//
// hour counts from 1970, UTC; hours is 1 or 24. A bin is its number and a count:
// bin k has latencies up to 1 ms · 10^(k/10), the last one all above. max and
// behind are seconds. Fields that are not known are ignored; another version is
// not read.
package history
