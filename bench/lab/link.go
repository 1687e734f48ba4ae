package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
)

// linkPrefix starts the names of network namespaces, with the pid of their
// maker.
const linkPrefix = "gorsyncd-lab-"

var linkCount atomic.Int32

// Link is a network cable from this host into a network namespace of its own,
// which stands for a remote machine.
type Link struct {
	Addr string // this end's IPv4 address
	Peer string // the address inside the namespace: where a server listens

	namespace string
	near, far string // interface names
	macNear   string
	macFar    string
}

// NewLink makes a namespace and a veth pair on a random /30 below 10/8 that no
// route or interface of the machine uses.
func NewLink() (*Link, error) {
	if os.Geteuid() != 0 {
		return nil, unsupported("network namespace", "needs root")
	}
	n := int64(linkCount.Add(1))
	// Interface names have 15 bytes.
	short := strconv.FormatInt(int64(os.Getpid()), 36) + "-" + strconv.FormatInt(n, 36)
	l := &Link{namespace: fmt.Sprintf("%s%d-%d", linkPrefix, os.Getpid(), n), near: "glab" + short, far: "peer" + short}
	var err error
	if l.Addr, l.Peer, err = freeNet(); err != nil {
		return nil, err
	}
	if err := l.build(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Link) build() error {
	if err := each(
		"netns add "+l.namespace,
		"link add "+l.near+" type veth peer name "+l.far+" netns "+l.namespace,
		"address add "+l.Addr+"/30 dev "+l.near,
		"-n "+l.namespace+" address add "+l.Peer+"/30 dev "+l.far,
		"-n "+l.namespace+" link set lo up",
		"link set "+l.near+" up",
		"-n "+l.namespace+" link set "+l.far+" up",
	); err != nil {
		return err
	}
	var err error
	if l.macNear, err = mac("-o", "link", "show", l.near); err != nil {
		return err
	}
	if l.macFar, err = mac("-n", l.namespace, "-o", "link", "show", l.far); err != nil {
		return err
	}
	return l.Blackhole(false)
}

// each runs ip with each of the lines.
func each(lines ...string) error {
	for _, line := range lines {
		if _, err := run("ip", strings.Fields(line)...); err != nil {
			return err
		}
	}
	return nil
}

func mac(args ...string) (string, error) {
	out, err := run("ip", args...)
	if err != nil {
		return "", err
	}
	_, after, _ := strings.Cut(out, "link/ether ")
	f := strings.Fields(after)
	if len(f) == 0 {
		return "", fmt.Errorf("no hardware address in %q", out)
	}
	return f[0], nil
}

// freeNet picks the two addresses of an unused /30.
func freeNet() (near, far string, err error) {
	for range 50 {
		prefix := fmt.Sprintf("10.%d.%d.", 1+rand.IntN(254), rand.IntN(256))
		base := rand.IntN(64) * 4
		net := prefix + strconv.Itoa(base) + "/30"
		used := false
		for _, how := range []string{"match", "root"} { // routes around it and inside it
			out, err := run("ip", "-o", "-4", "route", "show", "table", "all", "to", how, net)
			if err != nil {
				return "", "", err
			}
			for line := range strings.Lines(out) {
				used = used || !strings.HasPrefix(line, "default")
			}
		}
		if !used {
			return prefix + strconv.Itoa(base+1), prefix + strconv.Itoa(base+2), nil
		}
	}
	return "", "", errors.New("no unused network below 10/8")
}

// Command makes a command that runs inside the namespace, with the pid of the
// command itself. The mounts stay those of the host: "ip netns exec" would hold
// on to every mounted disk.
func (l *Link) Command(name string, args ...string) *exec.Cmd {
	bin, err := tool("nsenter")
	if err != nil {
		bin = "nsenter" // and starting it tells
	}
	return exec.Command(bin, append([]string{"--net=/run/netns/" + l.namespace, "--", name}, args...)...)
}

// Rate limits both directions to so many kbit/s; 0 lifts the limit.
func (l *Link) Rate(kbit int) error {
	ends := [][]string{{"qdisc"}, {"-n", l.namespace, "qdisc"}}
	for i, dev := range []string{l.near, l.far} {
		args := append(ends[i], "replace", "dev", dev, "root")
		if kbit > 0 {
			args = append(args, "tbf", "rate", fmt.Sprintf("%dkbit", kbit), "burst", "32kb", "latency", "400ms")
		} else {
			args = append(args, "noqueue") // what a veth starts with
		}
		if _, err := run("tc", args...); err != nil {
			return err
		}
	}
	return nil
}

// Blackhole makes both ends send to nobody: connections and packets vanish
// without an answer, as behind a dead switch. The interfaces stay up.
func (l *Link) Blackhole(on bool) error {
	far, near := l.macFar, l.macNear
	if on {
		far, near = "02:00:00:00:00:00", "02:00:00:00:00:00"
	}
	return each(
		"neigh replace "+l.Peer+" lladdr "+far+" dev "+l.near+" nud permanent",
		"-n "+l.namespace+" neigh replace "+l.Addr+" lladdr "+near+" dev "+l.far+" nud permanent",
	)
}

// Down pulls the cable. The far interface goes down, so that this host keeps
// its route and sends nothing to the default gateway.
func (l *Link) Down() error { return each("-n " + l.namespace + " link set " + l.far + " down") }

// Up plugs the cable in again.
func (l *Link) Up() error {
	if err := each("-n " + l.namespace + " link set " + l.far + " up"); err != nil {
		return err
	}
	return l.Blackhole(false) // the kernel forgets neighbours of a link that is down
}

// Close removes the cable and the namespace. Kill what runs inside first, else
// the namespace lives, without a name, until that ends. Idempotent.
func (l *Link) Close() error {
	var errs []error
	if _, err := os.Stat("/sys/class/net/" + l.near); err == nil {
		errs = append(errs, each("link delete "+l.near))
	}
	if _, err := os.Stat("/run/netns/" + l.namespace); err == nil {
		errs = append(errs, each("netns delete "+l.namespace))
	}
	return errors.Join(errs...)
}
