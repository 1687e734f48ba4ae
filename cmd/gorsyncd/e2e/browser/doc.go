// Package browser tests the status page in a real Chromium: with fixed
// documents for what it shows, and with the built daemon and real rsync daemons
// for what it does.
//
// It is a module of its own, so that the program does not depend on what drives
// the browser. `make test` runs it. GORSYNCD_CHROMIUM names another browser than
// the chromium of the search path; a missing one fails the tests. Screenshots are
// kept in build/screenshots.
package browser
