// Package lab injects the faults that the crash harness and the tests run
// gorsyncd under: disks that lose power, fill up, fail to read or vanish,
// links that are slow, silent or down, limits on a process, kernel settings.
//
//	d, err := lab.NewDisk(lab.DiskOptions{Dir: dir, Name: "src", FS: "ext4", MB: 512})
//	defer d.Close()
//	… start a daemon that works in d.Path, let it work, kill it …
//	err = d.PowerCut() // what was not synced is gone; d.Path is mounted again
//
// # Model
//
// A [Disk] is a file system on a loop device over a sparse backing file. A
// power cut keeps what has reached the backing file at one instant, and loses
// what the file system held in memory: data that nobody synced and metadata
// that was not committed yet. The device itself has no volatile cache in this
// model; requests are not torn and not reordered.
//
// # Guarantees
//
// An image is of one instant, even under load: a file system copied while it
// writes would show damage that no power cut can cause. Where the directory
// holding the backing files can clone files (xfs, btrfs) that costs nothing and
// works under any load; elsewhere a copy counts only if the device completed no
// write during it, so stop the writers first (SIGSTOP is enough; the kernel's
// own writeback then settles). A disk on top of an xfs disk gives the former
// everywhere:
//
//	pool, err := lab.NewDisk(lab.DiskOptions{Dir: dir, Name: "pool", FS: "xfs", MB: 4096})
//	src, err := lab.NewDisk(lab.DiskOptions{Dir: pool.Path, Name: "src", FS: "ext4", MB: 512})
//
// Everything is undone by Close or by the function that an injection returned.
// A killed run leaves mounts, loop devices, network namespaces, groups and
// kernel settings behind; [CleanStale] undoes these.
//
// # Duties
//
// Disks, links, memory groups and kernel settings need root. What the kernel or
// the machine lacks is an [UnsupportedError] with the reason, which a caller
// reports; a missing program names its package. Methods of one value are not
// safe for concurrent use unless they say so; different values are independent.
package lab
