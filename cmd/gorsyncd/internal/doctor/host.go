package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// local looks at each rsync of this machine that the configuration names.
func local(ctx context.Context, c *config.Config) []Finding {
	var paths []string
	for _, s := range c.Sources {
		for _, r := range s.Remotes {
			if !slices.Contains(paths, r.Rsync.Path) {
				paths = append(paths, r.Rsync.Path)
			}
		}
	}
	var list []Finding
	for _, p := range paths {
		f := Finding{Level: OK, About: "rsync", Text: p}
		switch v := replicate.LocalVersion(ctx, p); {
		case v == "":
			f.Level, f.ID, f.Text, f.Remedy = Fail, "E-EXEC", p+" does not run, or does not say its version", "install rsync, or set rsync.path"
		case replicate.OldVersion(v):
			f.Level, f.ID, f.Text, f.Remedy = Warn, "W-RSYNC-OLD", fmt.Sprintf("%s is version %s, which has known faults", p, v), "install rsync 3.4.4 or newer"
		default:
			f.Text = fmt.Sprintf("%s is version %s", p, v)
		}
		list = append(list, f)
	}
	return list
}

// stateDir looks at the place of the journal.
func stateDir(c *config.Config) []Finding {
	f := Finding{Level: OK, About: "state_dir"}
	var st unix.Statfs_t
	fi, err := os.Stat(c.StateDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Level, f.Text = Warn, c.StateDir+" is not there yet; it is made at the start"
		return []Finding{f}
	case err == nil && !fi.IsDir():
		err = fmt.Errorf("%s is no directory", c.StateDir)
	case err == nil:
		err = unix.Statfs(c.StateDir, &st)
	}
	if err != nil {
		f.Level, f.Text, f.Remedy = Fail, err.Error(), "make it a directory of the user gorsyncd runs as"
		return []Finding{f}
	}
	free := int64(st.Bavail) * st.Bsize
	f.Text = fmt.Sprintf("%s free in %s", status.Bytes(free), c.StateDir)
	if free < int64(c.Journal.MaxSize) {
		f.Level = Warn
		f.Text += fmt.Sprintf(", less than the journal may take (%s)", c.Journal.MaxSize)
		f.Remedy = "make space, or set journal.max_size"
	}
	return []Finding{f}
}

// limits looks at how trees can be watched.
func limits() []Finding {
	err := watch.HaveFanotify()
	if err == nil {
		return []Finding{{Level: OK, About: "watching", Text: "by fanotify: one mark for each file system, without a limit"}}
	}
	n := watch.WatchLimit()
	return []Finding{{Level: Warn, About: "watching", Text: fmt.Sprintf("by inotify, up to %s directories: %v", status.Count(n), err),
		Remedy: "give gorsyncd the capability CAP_SYS_ADMIN, or a higher limit: sysctl -w fs.inotify.max_user_watches=1048576"}}
}

// readable reads a name of a directory, which may have millions.
func readable(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = f.Readdirnames(1); errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// source looks at the root of a tree.
func source(s config.Source, o Options) []Finding {
	f := Finding{Level: OK, About: "source " + s.Name, Text: s.Path + " can be read"}
	fi, err := os.Stat(s.Path)
	if err == nil && !fi.IsDir() {
		err = fmt.Errorf("%s is no directory", s.Path)
	}
	if err == nil {
		err = readable(s.Path)
	}
	if err != nil {
		f.Level, f.ID, f.Text, f.Remedy = Fail, "E-SOURCE", err.Error(), "mount or restore the source root"
		return []Finding{f}
	}
	list := []Finding{f}
	if watch.ChangedElsewhere(s.Path) {
		list = append(list, Finding{Level: Warn, About: f.About, Text: "is on a network file system: what other hosts change is found by a look every 10 s or more, not by events",
			Remedy: "run gorsyncd on the file server"})
	}
	if !o.Root {
		list = append(list, Finding{Level: Warn, About: f.About, Text: "this user is not root: what it cannot read is not replicated, and is shown as E-SRC-PERM",
			Remedy: "run as root, or with the capability CAP_DAC_READ_SEARCH"})
	}
	return list
}
