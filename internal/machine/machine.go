// Package machine boots a separate systemd for tests, in a container. Its file system is
// that of the host, but every change stays in memory.
//
// If the environment variable SYSTEMD_SUITE names a Debian suite, such as trixie, the file
// system with systemd, restic and everything else is that of the suite instead; see
// suite.go.
//
// Package machine needs root, systemd-nspawn and overlay file systems. If something is
// missing, the test is left out; see [testenv.LeaveOut].
package machine

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// A Machine is a booted systemd.
type Machine struct {
	// Root is its root directory as the host sees it. Mounts of the machine,
	// such as /run and /srv, are not in it.
	Root string

	t      testing.TB
	base   string
	nspawn *exec.Cmd
	ended  chan struct{}
	log    bytes.Buffer
	leader int
	group  group
}

// Boot boots a machine, for the length of the test. Units that the host's
// packages have enabled are not started, and journals begin empty.
func Boot(t testing.TB) *Machine {
	t.Helper()
	suite := os.Getenv("SYSTEMD_SUITE")
	if reason := missing(); reason != "" {
		if suite != "" {
			t.Fatalf("no systemd of Debian %s can be booted here: %s", suite, reason)
		}
		testenv.LeaveOut(t, "no systemd can be booted here: "+reason)
	}
	lower := "/"
	if suite != "" {
		lower = Suite(t, suite)
	}

	base, err := os.MkdirTemp("", "restic-exporter-machine-")
	if err != nil {
		t.Fatal(err)
	}
	m := &Machine{t: t, base: base, Root: filepath.Join(base, "root"), group: newGroup(filepath.Base(base))}
	t.Cleanup(m.remove)
	m.host("mount", "-t", "tmpfs", "-o", "mode=0755", "machine", base)
	for _, dir := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.host("mount", "-t", "overlay", "overlay", "-o",
		// With xino, files and directories are on one device, as they are on a disk.
		fmt.Sprintf("xino=on,lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower, base, base), m.Root)

	id := make([]byte, 16)
	rand.Read(id)
	m.Write("/etc/machine-id", hex.EncodeToString(id)+"\n", 0o444)
	m.Write("/etc/hostname", "machine\n", 0o644)
	// Do not start the services of the host's packages.
	wants, _ := filepath.Glob(m.Root + "/etc/systemd/system/*.wants/*")
	for _, name := range wants {
		os.Remove(name)
	}
	for _, name := range []string{"console-getty.service", "getty.target", "networking.service", "e2scrub_reap.service"} {
		os.Symlink("/dev/null", filepath.Join(m.Root, "etc/systemd/system", name))
	}
	for _, dir := range hosts {
		names, _ := filepath.Glob(m.Root + dir)
		for _, name := range names {
			if err := os.RemoveAll(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.MkdirAll(m.Root+"/var/log/journal", 0o755); err != nil {
		t.Fatal(err)
	}
	m.start()
	return m
}

// hosts are files that the host's own runs and servers may have left. In the machine they
// would look as if they were the test's.
var hosts = []string{
	"/var/log/journal", "/var/mail/*", "/var/spool/exim4/*/*", "/var/lib/prometheus/*/*", "/var/lib/node*exporter/*",
	"/etc/restic-exporter", "/var/lib/restic-exporter", "/var/cache/restic-exporter", "/etc/systemd/system/restic-*",
}

// Use reports failures to t, a subtest, until the subtest ends.
func (m *Machine) Use(t testing.TB) {
	before := m.t
	t.Cleanup(func() { m.t = before })
	m.t = t
}

func missing() string {
	if os.Getuid() != 0 {
		return "not run as root"
	}
	for _, program := range []string{"systemd-nspawn", "nsenter", "mount"} {
		if _, err := exec.LookPath(program); err != nil {
			return program + " is not installed"
		}
	}
	return ""
}

// host runs a program on the host.
func (m *Machine) host(args ...string) {
	m.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		m.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

const bootTimeout = 60 * time.Second

func (m *Machine) start() {
	m.t.Helper()
	m.log.Reset()
	m.nspawn = exec.Command("systemd-nspawn", "--directory="+m.Root, "--boot", "--register=no", "--keep-unit",
		"--private-network", "--console=read-only", "--quiet", "--machine=machine",
		"--tmpfs=/srv:mode=0755")
	m.nspawn.Stdout, m.nspawn.Stderr = &m.log, &m.log
	// The host's environment, such as $INVOCATION_ID, must not get in. The container
	// needs control groups v2, even if the host has v1: with v1 systemd may not notice
	// that a group is empty, so that a killed unit hangs until TimeoutStopSec=. And
	// systemd 258 boots only with v2.
	m.nspawn.Env = []string{"PATH=" + os.Getenv("PATH"), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1"}
	attributes, done := m.group.enter()
	m.nspawn.SysProcAttr = attributes
	if err := m.nspawn.Start(); err != nil {
		m.t.Fatal(err)
	}
	done()
	m.ended = make(chan struct{})
	go func() {
		m.nspawn.Wait()
		close(m.ended)
	}()

	for deadline := time.Now().Add(bootTimeout); ; {
		if m.leader = m.findLeader(); m.leader != 0 {
			out, _ := m.command(context.Background(), "systemctl is-system-running").Output()
			switch state := strings.TrimSpace(string(out)); state {
			case "running", "degraded":
				return
			}
		}
		select {
		case <-m.ended:
			m.t.Fatalf("systemd-nspawn ended:\n%s", m.log.String())
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("not booted after %v:\n%s", bootTimeout, m.log.String())
		}
	}
}

// findLeader returns the process that is PID 1 in the machine; 0 if there is none yet.
func (m *Machine) findLeader() int {
	pid := m.nspawn.Process.Pid
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, child := range strings.Fields(string(children)) {
		if comm, _ := os.ReadFile("/proc/" + child + "/comm"); strings.TrimSpace(string(comm)) == "systemd" {
			n, _ := strconv.Atoi(child)
			return n
		}
	}
	return 0
}

func (m *Machine) command(ctx context.Context, script string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", "-t", strconv.Itoa(m.leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--",
		"/usr/bin/env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
		"/bin/bash", "-c", script)
}

// scriptTimeout ends a script that hangs, long before it would end the whole test.
const scriptTimeout = 5 * time.Minute

// Try runs a script of bash in the machine and returns what it printed and its
// exit status.
func (m *Machine) Try(script string) (stdout, stderr string, status int) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	cmd := m.command(ctx, script)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		m.t.Fatalf("after %v still running:\n%s\nstdout:\n%s\nstderr:\n%s", scriptTimeout, script, &out, &errOut)
	}
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		m.t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// Run is like Try, but the script must succeed, each of its commands included. It returns
// standard output.
func (m *Machine) Run(script string) string {
	m.t.Helper()
	stdout, stderr, status := m.Try("set -e\n" + script)
	if status != 0 {
		m.t.Fatalf("status %d of\n%s\nstdout:\n%s\nstderr:\n%s", status, script, stdout, stderr)
	}
	return stdout
}

// Write writes a file in the machine, and creates its directories. path must not be below
// one of the machine's mounts.
func (m *Machine) Write(path, content string, mode os.FileMode) {
	m.t.Helper()
	name := filepath.Join(m.Root, path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		m.t.Fatal(err)
	}
	os.Remove(name)
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		m.t.Fatal(err)
	}
}

// Eventually waits until a script succeeds.
func (m *Machine) Eventually(timeout time.Duration, script string) {
	m.t.Helper()
	for deadline := time.Now().Add(timeout); ; time.Sleep(50 * time.Millisecond) {
		stdout, stderr, status := m.Try(script)
		if status == 0 {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("after %v still status %d of\n%s\n%s\n%s", timeout, status, script, stdout, stderr)
		}
	}
}

// Reboot stops the machine at once, as a power failure would, and boots it again. Files on
// its disk stay, but /srv is empty.
func (m *Machine) Reboot() {
	m.t.Helper()
	m.stop()
	m.start()
}

func (m *Machine) stop() {
	if m.leader != 0 {
		syscall.Kill(m.leader, syscall.SIGKILL)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	select {
	case <-m.ended:
	case <-ctx.Done():
		m.nspawn.Process.Kill()
		<-m.ended
	}
	m.leader = 0
}

func (m *Machine) remove() {
	if m.nspawn != nil && m.nspawn.Process != nil {
		m.stop()
	}
	for _, dir := range []string{m.Root, m.base} {
		syscall.Unmount(dir, syscall.MNT_DETACH)
	}
	os.RemoveAll(m.base)
	m.group.remove()
}
