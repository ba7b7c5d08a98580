package machine

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A Cable connects an address on the loopback of one machine to the same address on that of
// another, as a network would. It can be cut.
type Cable struct {
	from, to *Machine
	addr     string
	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

// Connect makes a server that listens on addr in another machine, such as "127.0.0.1:443",
// available at the same address in m, for the length of the test.
func (m *Machine) Connect(t testing.TB, addr string, to *Machine) *Cable {
	c := &Cable{from: m, to: to, addr: addr}
	c.Join(t)
	t.Cleanup(c.Cut)
	return c
}

// Join connects a cable again after it was cut, or after its machine has been rebooted.
func (c *Cable) Join(t testing.TB) {
	c.Cut()
	var l net.Listener
	err := c.from.inNetwork(func() (err error) {
		l, err = net.Listen("tcp", c.addr)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.listener = l
	c.mu.Unlock()
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			var far net.Conn
			if c.to.inNetwork(func() (err error) {
				far, err = net.Dial("tcp", c.addr)
				return err
			}) != nil {
				near.Close()
				continue
			}
			c.mu.Lock()
			if c.listener != l { // it was cut meanwhile
				near.Close()
				far.Close()
			}
			c.conns = append(c.conns, near, far)
			c.mu.Unlock()
			go carry(near, far)
			go carry(far, near)
		}
	}()
}

func carry(to, from net.Conn) {
	io.Copy(to, from)
	to.Close()
	from.Close()
}

// Cut ends all connections, and refuses new ones.
func (c *Cable) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listener != nil {
		c.listener.Close()
	}
	for _, conn := range c.conns {
		conn.Close()
	}
	c.listener, c.conns = nil, nil
}

// inNetwork calls f on a thread that is in the machine's network.
func (m *Machine) inNetwork(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked, so that the thread ends with the goroutine
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", m.leader))
		if err == nil {
			defer ns.Close()
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}
