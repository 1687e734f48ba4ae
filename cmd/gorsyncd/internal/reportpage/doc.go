// Package reportpage makes a web page of a report on how remotes were served: one
// file, for a mail or a wiki, that needs nothing else.
//
// # Usage
//
//	err := reportpage.Write(w, report, reportpage.Options{Lang: "en", Zone: time.Local})
//
// # Properties
//
//   - The page has no script and loads nothing: plots are SVG in it, and so is the
//     style, light or dark as the reader's system is, and black on white on paper.
//   - It is well-formed XML as well as HTML, and says the same without the plots.
//   - What is not known is not drawn as zero: time before anything was noted, and
//     time in which gorsyncd did not run, is hatched and named. Time in which
//     nothing was to be delivered is drawn as being in sync, as it was.
//   - Availability is the part of the time that is known in which a remote could be
//     delivered to: what an outage with an error took, and what gorsyncd took by not
//     running, are named one by one.
//   - Latencies of a span are upper bounds, see package history.
//   - Names are text: html/template escapes them, names.Printable what does not print.
//   - Time and zone are parameters; the same report gives the same page.
package reportpage
