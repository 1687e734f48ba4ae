package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// DiskOptions says what NewDisk makes.
type DiskOptions struct {
	Dir  string // holds the backing file, the images and the mount point; exists
	Name string // unique in Dir
	FS   string // ext4, xfs, btrfs, tmpfs or ramfs
	MB   int    // size in MiB; xfs needs 300, btrfs 110; ramfs has no limit

	// Inodes limits the number of files (ext4, tmpfs); 0 is the file system's
	// own default. ext4 uses eleven itself and rounds up to whole blocks.
	Inodes int
}

// Disk is a mounted file system that faults can be injected into. One
// goroutine at a time; processes may use Path at any time.
type Disk struct {
	Path string // the mount point, the same for the life of the disk

	opt     DiskOptions
	backing string // of the mounted state; "" for a file system in memory
	loop    string // the loop device over backing, "" before the first mount
	mounted bool
	images  int // numbers the files in Dir
	binds   []bind
	filler  *filler
	healthy string // a copy of backing from before ReadErrors
}

// NewDisk makes and mounts an empty file system at Dir/Name.
func NewDisk(opt DiskOptions) (*Disk, error) {
	if err := opt.validate(); err != nil {
		return nil, err
	}
	if err := supportedFS(opt.FS); err != nil {
		return nil, err
	}
	dir, err := filepath.EvalSymlinks(opt.Dir)
	if err != nil {
		return nil, fmt.Errorf("disk %s: %w", opt.Name, err)
	}
	opt.Dir = dir
	d := &Disk{Path: filepath.Join(dir, opt.Name), opt: opt}
	if err := os.Mkdir(d.Path, 0o755); err != nil {
		return nil, fmt.Errorf("disk %s: %w", opt.Name, err)
	}
	if err := d.format(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := d.Mount(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (o DiskOptions) validate() error {
	if !slices.Contains([]string{"ext4", "xfs", "btrfs", "tmpfs", "ramfs"}, o.FS) {
		return fmt.Errorf("disk %s: unknown file system %q", o.Name, o.FS)
	}
	if o.Name == "" || o.Name != filepath.Base(o.Name) {
		return fmt.Errorf("disk name %q is not a file name", o.Name)
	}
	if o.MB <= 0 {
		return fmt.Errorf("disk %s: size %d MiB", o.Name, o.MB)
	}
	if o.Inodes != 0 && o.FS != "ext4" && o.FS != "tmpfs" {
		return unsupported("inode limit on "+o.FS, "it allocates inodes as it needs them")
	}
	return nil
}

func (o DiskOptions) inMemory() bool { return o.FS == "tmpfs" || o.FS == "ramfs" }

// newFile names a file in Dir that does not exist yet.
func (d *Disk) newFile(kind string) string {
	d.images++
	return filepath.Join(d.opt.Dir, fmt.Sprintf("%s.%s%d", d.opt.Name, kind, d.images))
}

// format makes the backing file with an empty file system.
func (d *Disk) format() error {
	if d.opt.inMemory() {
		return nil
	}
	d.backing = d.newFile("img")
	f, err := os.OpenFile(d.backing, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("disk %s: %w", d.opt.Name, err)
	}
	defer f.Close()
	if err := f.Truncate(int64(d.opt.MB) << 20); err != nil {
		return fmt.Errorf("disk %s: %w", d.opt.Name, err)
	}
	_, err = run("mkfs."+d.opt.FS, append(d.formatArgs(), d.backing)...)
	return err
}

// formatArgs chooses 4 KiB blocks and sectors, so that no write is smaller than
// a block of the file system underneath (ReadErrors needs that), and nothing
// that writes later on its own.
func (d *Disk) formatArgs() []string {
	switch d.opt.FS {
	case "ext4":
		args := []string{"-q", "-F", "-b", "4096", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard"}
		if d.opt.Inodes > 0 {
			args = append(args, "-N", strconv.Itoa(d.opt.Inodes))
		}
		return args
	case "xfs":
		return []string{"-q", "-f", "-K", "-s", "size=4096"}
	default:
		return []string{"-q", "-f", "-K"}
	}
}

// Close unmounts and removes everything of the disk. Idempotent. Processes
// that still use it keep a file system without a name.
func (d *Disk) Close() error {
	var errs []error
	d.Release()
	if d.mounted {
		errs = append(errs, d.Unmount())
	}
	if d.loop != "" {
		errs = append(errs, waitDetached(d.loop, d.backing, d))
	}
	files, err := filepath.Glob(filepath.Join(d.opt.Dir, d.opt.Name+".*[0-9]"))
	errs = append(errs, err)
	for _, f := range files {
		errs = append(errs, os.Remove(f))
	}
	if err := os.Remove(d.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close disk %s: %w", d.opt.Name, err)
	}
	return nil
}
