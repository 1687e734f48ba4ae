package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// cloneFile makes dst share the blocks of src: atomic, and at once.
func cloneFile(dst, src string) error {
	in, out, err := openPair(dst, src)
	if err != nil {
		return err
	}
	defer in.Close()
	err = unix.IoctlFileClone(int(out.Fd()), int(in.Fd()))
	if err = errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(dst)
		return fmt.Errorf("clone %s: %w", src, err)
	}
	return nil
}

// copyFile makes a new sparse copy, cloned where that works.
func copyFile(dst, src string) error {
	if cloneFile(dst, src) == nil {
		return nil
	}
	in, out, err := openPair(dst, src)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err == nil {
		err = out.Truncate(st.Size())
	}
	if err == nil {
		err = eachData(in, 0, st.Size(), func(from, to int64) error { return copyRange(out, in, from, to) })
	}
	if err = errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(dst)
		return fmt.Errorf("copy %s: %w", src, err)
	}
	return nil
}

func openPair(dst, src string) (in, out *os.File, err error) {
	if in, err = os.Open(src); err != nil {
		return nil, nil, err
	}
	if out, err = os.OpenFile(dst, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
		in.Close()
		return nil, nil, err
	}
	return in, out, nil
}

// eachData calls f for each range of file in [from, end) that is no hole.
func eachData(file *os.File, from, end int64, f func(from, to int64) error) error {
	for from < end {
		data, err := unix.Seek(int(file.Fd()), from, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // only holes are left
			return nil
		}
		if err != nil {
			return fmt.Errorf("find data: %w", err)
		}
		if data >= end {
			return nil
		}
		hole, err := unix.Seek(int(file.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			return fmt.Errorf("find hole: %w", err)
		}
		from = min(hole, end)
		if err := f(data, from); err != nil {
			return err
		}
	}
	return nil
}

// copyRange copies but leaves blocks of zeroes out (a new log is full of them),
// for which the caller has a hole in out.
func copyRange(out, in *os.File, from, to int64) error {
	const step = 64 << 10
	buf := make([]byte, min(step, to-from))
	for at := from; at < to; at += step {
		n, err := in.ReadAt(buf[:min(step, to-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if bytes.Equal(buf[:n], zeroes[:n]) {
			continue
		}
		if _, err := out.WriteAt(buf[:n], at); err != nil {
			return err
		}
	}
	return nil
}

var zeroes [64 << 10]byte
