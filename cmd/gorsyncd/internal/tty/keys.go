package tty

import (
	"errors"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Key is a key that means something.
type Key uint8

const (
	KeyQuit Key = iota + 1
	KeyUp
	KeyDown
	KeyPageUp
	KeyPageDown
	KeyHome
)

// sequences are what terminals send.
var sequences = []struct {
	text string
	key  Key
}{
	{"\x1b[A", KeyUp}, {"\x1bOA", KeyUp}, {"\x1b[B", KeyDown}, {"\x1bOB", KeyDown},
	{"\x1b[5~", KeyPageUp}, {"\x1b[6~", KeyPageDown}, {"\x1b[H", KeyHome}, {"\x1bOH", KeyHome}, {"\x1b[1~", KeyHome},
	{"q", KeyQuit}, {"Q", KeyQuit}, {"\x04", KeyQuit}, {"k", KeyUp}, {"j", KeyDown}, {"g", KeyHome}, {" ", KeyPageDown}, {"b", KeyPageUp},
}

// parse finds keys in what was read at once. Other escape sequences are passed over
// as a whole: letters in them are no keys.
func parse(text string) []Key {
	var keys []Key
next:
	for text != "" {
		for _, s := range sequences {
			if rest, ok := strings.CutPrefix(text, s.text); ok {
				keys, text = append(keys, s.key), rest
				continue next
			}
		}
		text = text[skip(text):]
	}
	return keys
}

// skip is the length of what begins a text and is no key.
func skip(text string) int {
	if !strings.HasPrefix(text, "\x1b[") {
		return 1
	}
	for i := 2; i < len(text); i++ {
		if text[i] >= 0x40 && text[i] <= 0x7e { // the final byte of ECMA-48
			return i + 1
		}
	}
	return len(text)
}

// keyReader reads keys until it is closed.
type keyReader struct {
	out  chan Key
	in   *os.File
	wake [2]*os.File // a pipe that ends the wait
	done chan struct{}
	wg   sync.WaitGroup
}

func newKeyReader(in *os.File) (*keyReader, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	k := &keyReader{out: make(chan Key), in: in, wake: [2]*os.File{r, w}, done: make(chan struct{})}
	k.wg.Go(k.run)
	return k, nil
}

// run polls: nothing is taken from the terminal that is not there for us.
func (k *keyReader) run() {
	buf := make([]byte, 256)
	for {
		fds := []unix.PollFd{{Fd: int32(k.in.Fd()), Events: unix.POLLIN}, {Fd: int32(k.wake[0].Fd()), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); errors.Is(err, unix.EINTR) {
			continue
		} else if err != nil || fds[1].Revents != 0 || fds[0].Revents&unix.POLLIN == 0 {
			return
		}
		n, err := unix.Read(int(k.in.Fd()), buf)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		for _, key := range parse(string(buf[:n])) {
			select {
			case k.out <- key:
			case <-k.done:
				return
			}
		}
	}
}

func (k *keyReader) close() {
	close(k.done)
	k.wake[1].Close()
	k.wg.Wait()
	k.wake[0].Close()
}
