// Package service is what gorsyncd says to the service manager that started it:
// sd_notify(3) with its watchdog, and where the unit's credentials are.
//
// # Usage
//
//	n := service.FromEnv()        // takes the variables out of the environment
//	dog := service.NewWatchdog(n, log)
//	sign := dog.Watch("remote www/nas", "source www")
//	go loop(sign)                 // sign.Round() as it goes round, sign.Done() at its end
//	go dog.Run(ctx)
//	n.Ready()
//
// All of it does nothing when there is no service manager.
//
// # What the watchdog takes for life
//
// WATCHDOG=1 is sent, four times in the period, as long as every loop that is
// watched shows a sign of life: that of each source (package watch), that of each
// remote (package replicate), and the journal's commits. To kick from a timer of
// its own would tell that there is a process, which nobody doubts.
//
// A start costs a scan of everything. So a loop is not killed for what a start
// would not cure:
//
//   - A call that may take any time is announced by Sign.Enter and Sign.Leave:
//     all that touches the source, whose network file system may hang for hours,
//     and the wait for the journal, whose disk may be slow or full. Inside of one
//     a loop counts as waiting, which Watchdog.Waiting tells for the status line.
//     Its end counts as a sign of life, so that a directory of millions of names
//     is none that hangs.
//   - As long as the kernel has any thread of this process wait for a disk (state
//     D), nothing is concluded: a page of the journal that is mapped into memory
//     is read without a call that could be announced.
//   - Time is counted in looks, not by a clock: a process that was stopped, or a
//     machine that slept, has not had its chance to show anything.
//
// A loop that shows nothing in five looks in a row, all of that being excluded,
// hangs: its goroutine waits for a lock or a channel, or runs in circles. Kicks
// then end, the log names the loop, and after one more period the manager kills
// the process with SIGABRT, upon which the runtime prints where every goroutine
// was. A commit of the journal gets ten minutes. Loops that rest are nudged at
// each look, so that all go round.
//
// What was killed like that has not died of its journal, whatever goroutines its
// last words name: see startGuard in package daemon, which leaves it out of the
// count that ends with the journal being set aside. A hang that comes back at each
// start costs a start a period and nothing else.
//
// # Rejected
//
// github.com/coreos/go-systemd: what is needed is one sendto(2). Its notify dials
// for each message and knows nothing of timeouts, and its watchdog helper reads the
// variables only.
package service
