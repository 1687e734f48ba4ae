// Package notify tells people when something is wrong, and when it is over.
//
// # Usage
//
//	n := notify.New(notify.Options{Name: "ops", Channel: ch, Rules: rules, StateFile: f, …})
//	go n.Run(ctx)
//	n.Look(view)   // again and again; never blocks
//	n.Status()
//
// A Heart is the same for a heartbeat: it tells a dead man's switch that all is well,
// as long as it is.
//
// # Model
//
// A look is what was seen at one moment: for each key, a subject such as a remote and
// one aspect of it, whether it was well, in a condition such as failing, or could not
// be told (paused, starting, outside of its window). Package judge makes looks of a
// status. The Tracker, which is pure, turns looks into items; a Notifier makes messages
// of items and has its Channel deliver them.
//
// # When something is told
//
//   - Trouble is counted while a condition is seen, and forgiven while it is not, at a
//     quarter of the speed. It is told when after of it has come together. Trouble
//     without a break is so told exactly after that time; one that comes and goes is
//     told as soon as it is there for more than a fifth of the time for long enough,
//     however short its spells are, as one trouble with interruptions.
//   - It is called recovered when it has been away for grace without a break. Each
//     time it comes back after that, within a day, grace is doubled, up to an hour. So
//     flapping of whatever rhythm makes a few messages at first, and then at most one
//     pair in an hour.
//   - What cannot be told stands still: neither counted nor forgiven.
//   - A condition that gets worse in a way that needs other hands (retrying, failing,
//     held) is told at once if its subject's trouble has been told; each step once.
//   - Recovered is only told of what was told, when nothing of that aspect is left: one
//     that turns from failing to retrying has not recovered. A subject that is no longer
//     configured is told as that.
//   - What becomes due within five seconds is one message.
//
// Durations are sums of the monotonic time between two looks, each counted for at most
// a minute, so that neither a change of the clock nor a process that was stopped fires
// or suppresses anything. The time of day is only shown.
//
// # Delivery
//
//   - At least once: what was decided and not delivered is in the state file, with what
//     was announced; a restart repeats neither, and delivers what is left.
//   - The newest truth: what waits is one item for each key. Trouble that is over before
//     it could be told is told as that.
//   - A channel that fails is tried again with a growing delay, for ever. Nobody waits
//     for it: Look and Status return at once.
//
// # Duties of the caller
//
// Looks come in order, from one goroutine. A Look that lacks a key says that its
// subject is no longer configured: none is to be made while that is not known. Two
// notifiers never share a state file.
package notify
