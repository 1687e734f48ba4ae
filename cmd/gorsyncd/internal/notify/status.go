package notify

import "time"

// States of a notifier.
const (
	StateOK      = "ok"
	StateFailing = "failing" // the last delivery failed
	StatePending = "pending" // nothing has been delivered so far, or something waits
)

// Status is a notifier as seen at one moment. Its JSON form is part of the program's
// interface.
type Status struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`   // dingtalk, email, command, …
	Target string `json:"target"` // the receiver, without secrets
	State  string `json:"state"`  // StateOK, StateFailing, StatePending

	LastSuccess *time.Time `json:"last_success"`
	LastError   string     `json:"last_error"` // "" when the last delivery succeeded
	ErrorID     string     `json:"error_id"`
	Hint        string     `json:"hint"`
	Failures    uint64     `json:"failures"` // in a row
	NextRetry   *time.Time `json:"next_retry"`
	Waiting     int        `json:"waiting"` // items that are to be delivered

	Delivered uint64 `json:"delivered"` // messages, since start
	Attempts  uint64 `json:"attempts"`

	Heartbeat *HeartbeatStatus `json:"heartbeat"` // nil for one that tells of trouble
}

// HeartbeatStatus is a heartbeat.
type HeartbeatStatus struct {
	EverySeconds float64 `json:"every_seconds"`
	Withheld     string  `json:"withheld"` // why it is; "" while it is sent
}
