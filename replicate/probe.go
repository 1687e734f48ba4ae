package replicate

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gorsyncd/journal"
)

// probeName is what a probe sends, directly below the target. The filter never
// lets a path of that name through, and no full sync deletes it.
const probeName = ".gorsyncd-probe"

// probeLimit bounds a whole probe; each of its runs has rsync's own timeouts.
const probeLimit = 2 * time.Minute

// prober is a transport that can look whether a remote keeps what it is given.
type prober interface {
	// Probe sends a few files, compares them as the remote reads them with what
	// was sent, and removes them again. It returns only when whatever it
	// started has ended. answer is called once with all that can be told of what
	// the remote keeps, if something can be told, before the rest is done.
	Probe(ctx context.Context, place string, answer func(probed)) probed
}

// probed is what a probe came to.
type probed struct {
	found  []journal.Finding // without Since
	looked aspects           // what it could tell
	// done tells whether everything was looked at that can be; otherwise why
	// says what was in the way.
	done  bool
	why   Outcome
	swept bool // something of an earlier one was removed
	sent  bool // something may have been written
	clean bool // nothing of any probe is there any more
	place string
	quick time.Duration // what a run took at least; 0: none was well
}

var _ prober = (*rsyncTransport)(nil)

// Probe implements prober in four runs. The first sends, and asks for removals by
// the same options as the third, so that a remote that refuses to remove is found
// out before anything is sent to it. If it did not make the directory, there may be
// something of an earlier probe: that is removed then, and all is sent again. A
// first full sync waits for the answer, which the second gives. The last one asks
// for the version, on which nothing depends.
func (t *rsyncTransport) Probe(ctx context.Context, stored string, answer func(probed)) probed {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	var p probed
	if refused := t.checkPassword(); refused.ID != "" {
		p.why = refused
		return p
	}
	at, place, refused := t.enterLocal(stored)
	if refused.ID != "" {
		p.why = refused
		return p
	}
	if at != nil {
		defer at.Close()
	}
	p.place = place
	s := &probeSteps{t: t, ctx: ctx, p: &p, answer: answer, asked: aspectsOf(t.o.Rsync.Args, os.Geteuid() == 0)}
	tree, err := makeProbe(t.o.Scratch, s.asked)
	if err != nil {
		p.why = Outcome{ID: "E-PROBE", Class: ClassEntry, Message: err.Error(), Hint: "see that state_dir can be written to"}
		return p
	}
	defer os.RemoveAll(tree.dir)
	s.tree = tree
	s.all()
	t.forget(p.why)
	return p
}

// probeSteps are the runs of one probe.
type probeSteps struct {
	t      *rsyncTransport
	ctx    context.Context
	p      *probed
	asked  aspects
	tree   probeTree
	answer func(probed)
	// gentle is set when the receiver aborts removals.
	gentle bool
}

func (s *probeSteps) all() {
	defer s.versions()
	s.p.sent = true
	sent := s.send()
	if !sent.afresh() {
		s.p.sent = !sent.idle
		swept := s.remove()
		for _, line := range swept.lines {
			s.p.swept = s.p.swept || line.deleted()
		}
		if !s.p.clean {
			return
		}
		s.p.clean, s.p.sent = false, true
		sent = s.send()
	}
	if sent.out.Class == ClassOK || sent.out.Class == ClassEntry {
		s.judge(s.readBack(), sent)
		if s.p.done {
			early := *s.p
			early.found = slices.Clone(early.found)
			s.answer(early)
		}
	} else {
		s.p.why = sent.out
	}
	if gone := s.remove(); !s.p.clean {
		s.p.done, s.p.why = false, gone.out
	}
}

// remove takes the probe off the remote and notes whether that is certain.
func (s *probeSteps) remove() probeRun {
	var r probeRun
	if !s.gentle {
		r = s.run(s.tree.none, s.t.o.probeRemoveArgv(), []byte("./"+probeName+"\x00"))
		s.aborted(r)
	}
	if s.gentle {
		r = s.run(s.tree.none, s.t.o.probeDeleteArgv(), nil)
	}
	s.p.clean = r.out.Class == ClassOK && !r.sum.stubborn
	if !s.p.clean {
		s.p.why = r.out
	}
	return r
}

// send also asks for the removal of a path that is not there: some receivers
// abort at one below a directory only.
func (s *probeSteps) send() probeRun {
	if !s.gentle {
		list := append(slices.Clone(s.tree.list), "./"+probeName+"/"+probeGone+"\x00"...)
		r := s.run(s.tree.full, s.t.o.probeSendArgv("--delete-missing-args", "--force"), list)
		if !s.aborted(r) {
			s.p.looked.removals = r.out.Class == ClassOK || r.out.Class == ClassEntry
			return r
		}
	}
	return s.run(s.tree.full, s.t.o.probeSendArgv(), s.tree.list)
}

// aborted notes that a run met a receiver that gives up at removals.
func (s *probeSteps) aborted(r probeRun) bool {
	if r.out.ID != "E-RSYNC-343" {
		return false
	}
	s.gentle, s.p.looked.removals = true, true
	s.p.found = append(s.p.found, journal.Finding{ID: idAborts, Detail: "it gave up a run with a removal"})
	return true
}

func (s *probeSteps) readBack() probeRun {
	return s.run(s.tree.full, s.t.o.probeReadArgv(), nil)
}

// judge compares, if the remote let itself be read.
func (s *probeSteps) judge(read, sent probeRun) {
	if read.out.Class != ClassOK {
		s.p.why = read.out
		return
	}
	v := verdict{lines: read.lines, asked: s.asked, tree: s.tree, sent: sent.stderr}
	if !v.judge() {
		s.p.why = Outcome{ID: "E-PROBE", Class: ClassEntry, Message: "the files of the probe did not arrive", Hint: "the server may filter names"}
		return
	}
	s.p.done = true
	s.p.found = append(s.p.found, v.found...)
	v.looked.version, v.looked.removals = s.p.looked.version, s.p.looked.removals
	s.p.looked = v.looked
}

// versions notes what is known of the two rsyncs.
func (s *probeSteps) versions() {
	local, remote := localVersion(s.ctx, s.t.o.Rsync.Path), ""
	if s.t.o.Target.Kind != Local {
		remote = remoteVersion(s.run(s.tree.none, s.t.o.probeVersionArgv(), nil).stderr)
	}
	s.p.looked.version = local != "" && (remote != "" || s.t.o.Target.Kind == Local)
	if detail := oldRsync(local, remote); detail != "" {
		s.p.looked.version = true
		s.p.found = append(s.p.found, journal.Finding{ID: idOld, Detail: detail})
	}
}

// probeTree is what a probe sends, on this machine.
type probeTree struct {
	dir  string // all of it
	full string // has the directory probeName
	none string // empty: what is named there is gone
	list []byte // names for --files-from
	// What could be made here, of what was asked.
	has aspects
}

func (t probeTree) path(name string) string { return filepath.Join(t.full, probeName, name) }
