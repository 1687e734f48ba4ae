package journald

import "slices"

// Event is a change of state that has a MESSAGE_ID of its own, for ever: who asks
// for it need not know how it is worded. docs/service.md lists them.
type Event struct {
	ID      string // 128 bits in hexadecimal
	Message string // the log message it goes with
}

// Events are all of them.
func Events() []Event { return slices.Clone(events) }

var events = []Event{
	{"f93b25cf30e74efa9b2cfc9845e663f6", "gorsyncd is running"},
	{"0aab6ab958934d1ea52b7e081a1b0099", "stopping"},
	{"16765c001bb942f887108e3bf4c2506c", "configuration reloaded"},
	{"372eb6d49aec4810a390c81f7a585ca9", "reload refused: the running configuration stays"},
	{"5719f3d9e97746f3b5b66d488af48436", "remote failed"},
	{"7b90077442e5440997b00dacb0a88dfe", "remote recovered"},
	{"93be82f4593b456484196bbbc716571d", "held"},
	{"13dfc0dc80b54a279d4e9fbeecdbc755", "approved"},
	{"b34b0cc268b84f39bc95c91deed06eb8", "paused"},
	{"7631070ad14f4f39b87e1dac6de46969", "resumed"},
	{"e8c7f67657d845d081db3759c37df1ea", "source held"},
	{"03c914f8f18844e78992f62bdc4b57b1", "part of the source held"},
	{"33fa85dab3384d8e89a10843352bb95a", "source released"},
	{"b1f6a826dfcb4b989ffc7fcaefb8d727", "full sync begins"},
	{"49ddf80c14b74d22a6bce6638ed536c0", "full sync done"},
	{"c2cc656a956c4c6aa4db435e7abc94c4", "verified"},
	{"46d7f8d0f2cb46febf926161a8a95d6e", "verify found differences"},
	{"a5b9e2721bf64b48b7166f1934246854", "events were lost, scanning the whole tree"},
	{"6dc69a8dbdc44e129026e34c1bd1274a", "journal lost: every source is scanned anew and every remote gets a full sync"},
	{"e2041d1465014ef9baa2c188f0ceab80", "the journal waits for space"},
	{"274446ff5c2543679c3019145b596206", "the journal has space again"},
	{"35cea2e4f7f84fd19cf50ba233aebfb4", "the journal failed; ending so that the next start can recover it"},
	{"b34397163440494a8a4bdb64f031289d", "no sign of life: the watchdog of the service manager is not kicked any more"},
	{"22bf62c2624d42b68dd63525399b7d5c", "the last process was ended by a signal that has it tell where it was"},
}

// idOf is "" for what is no change of state.
func idOf(message string) string {
	i := slices.IndexFunc(events, func(e Event) bool { return e.Message == message })
	if i < 0 {
		return ""
	}
	return events[i].ID
}
