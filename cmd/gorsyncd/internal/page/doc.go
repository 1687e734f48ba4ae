// Package page is the status page: one HTML page that tells at a glance whether
// everything is where it belongs, and what to do when it is not.
//
// # Model
//
// There are three layers, and each exists in Go for the first paint and in
// JavaScript for what follows:
//
//   - status.Status is what the daemon says. The browser gets it from the public
//     API (/api/v1/live and others) and from nowhere else.
//   - A View is what a person is to read: sentences, numbers with units, icons,
//     all in the language of the reader. NewView makes it from a Status, and
//     view() in assets/view.js makes the same one; the browser tests compare the
//     two over random documents, so they cannot drift apart.
//   - The markup stands once, in page.html. The server fills it in and sends it
//     a second time, empty, in <template>; assets/dom.js fills copies of these.
//
// Moments stay moments in a View (milliseconds of the epoch): how long ago or
// how soon they are is told by the layer that shows them, as time goes by.
//
// # Properties
//
//   - The first paint is complete and needs no JavaScript. Moments are relative to
//     the time of the status, which is shown.
//   - No inline script and no inline style, so that the page lives under a
//     Content-Security-Policy that allows neither.
//   - Names and messages are text: html/template and textContent, after
//     names.Printable or printable() of assets/format.js.
//   - With hundreds of remotes each source shows rowLimit of them and all that
//     need somebody; ?all=SOURCE shows the rest. A change costs the browser the
//     row that changed, at most once a second.
//   - What is shown is never taken for fresher than it is: when nothing has come
//     for a while the page says so, says from when its data is, and stops the
//     clocks until it is told anew.
//
// # Duties of the caller
//
// Options.Access decides what the reader may see and do. The handler sets
// no security headers and protects nothing: package web does. Everything it
// serves is GET.
package page
