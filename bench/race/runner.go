package main

import (
	"slices"
	"time"

	"gorsyncd/bench/lab"
)

func (run *runner) children() []lab.Child {
	var all []lab.Child
	for _, pid := range run.pids {
		all = append(all, lab.Children(pid)...)
	}
	return all
}

// rsyncs tells whether one of the children is an rsync.
func (run *runner) rsyncs() bool {
	return slices.ContainsFunc(run.children(), func(c lab.Child) bool { return c.Name == "rsync" })
}

func (run *runner) cpu() (sum time.Duration, err error) {
	for _, pid := range run.pids {
		d, err := lab.CPU(pid)
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

func (run *runner) wakeups() (sum int64, err error) {
	for _, pid := range run.pids {
		n, err := lab.Wakeups(pid)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// memory is that of the program itself, without its children.
func (run *runner) memory() (lab.Memory, error) { return lab.ReadMemory(run.pids[0]) }
