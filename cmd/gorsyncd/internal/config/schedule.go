package config

import (
	"fmt"
	"time"

	cron "github.com/netresearch/go-cron"
	yaml "go.yaml.in/yaml/v4"

	"gorsyncd/replicate"
)

// cronSpec takes what cron.ParseStandard takes and will fire: "30 2 31 2 *"
// parses and never does. "" and off mean no schedule.
func cronSpec(p *parser, key string, n *yaml.Node) (string, bool) {
	s, ok := p.text(n, key)
	if !ok || s == "" || s == "off" {
		return "", ok
	}
	sched, err := parseCron(s)
	if err != nil {
		p.fail(deref(n), "%s: %q is not a cron expression: %v", key, s, err)
		return "", false
	}
	// The reference moment is fixed: whether a file is valid must not depend
	// on the day it is read. Every satisfiable day comes within the eight
	// years that can lie between two 29ths of February.
	if sched.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		p.fail(deref(n), "%s: %q never comes", key, s)
		return "", false
	}
	return s, true
}

// checkWindow accepts one span of window.
func checkWindow(text string) error {
	_, err := replicate.ParseWindow([]string{text})
	return err
}

// parseCron turns a panic of the library into an error: the expression is the
// user's, and a daemon that reloads must survive it.
func parseCron(spec string) (s cron.Schedule, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot be parsed: %v", r)
		}
	}()
	return cron.ParseStandard(spec)
}
