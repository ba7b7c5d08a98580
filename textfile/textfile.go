// Package textfile puts metrics in a file for the textfile collector of
// node_exporter.
//
// [WriteFile] writes the metric families of any program, and [Update] makes the
// new content of a file from the old. A program with a registry of client_golang
// has its families from Gather.
//
// Readers of the file see the old content or the new, whole, also after a
// crash. What is not promised: that a file system without atomic rename, such
// as some network file systems, keeps to that.
//
// Package textfile needs neither cgo nor anything of systemd.
package textfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// WriteFile puts mfs into the named file, all or nothing: on any error the
// file that was there stays. The file is readable by everyone, whatever the
// umask. The name must end in ".prom", or the collector would ignore the file.
//
// What was written is parsed before it takes the file's place.
func WriteFile(name string, mfs []*dto.MetricFamily) error {
	return Update(name, func([]*dto.MetricFamily, error) ([]*dto.MetricFamily, error) { return mfs, nil })
}

// Update replaces the content of the named file by what f makes of it, as
// [WriteFile] does.
//
// f gets the families that the file holds; none and nil if there is no file;
// none and the reason if it cannot be read as metrics. If f reports an error,
// the file stays as it is and Update returns that error.
//
// Programs that update files in one directory take turns: Update holds a lock
// (flock) on the directory while it works. The lock is advisory, and not waited
// for longer than five seconds, because whoever may open the directory may hold
// it forever; nor is there one in a directory that may be written and not read,
// or on a file system without locks. Then two updates at once can lose one of
// them, but the file is still whole.
func Update(name string, f func(old []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error)) error {
	if err := checkName(name); err != nil {
		return err
	}
	unlock, err := lock(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer unlock()

	mfs, err := f(read(name))
	if err != nil {
		return err
	}
	return replace(name, mfs)
}

func checkName(name string) error {
	if base := filepath.Base(name); !strings.HasSuffix(base, ".prom") || base == ".prom" {
		return fmt.Errorf("%s: the name must end in .prom, or the textfile collector ignores the file", name)
	}
	return nil
}

func read(name string) ([]*dto.MetricFamily, error) {
	// Not blocking: what stands there may be a pipe. Not following: what a link
	// points to may be nobody else's to read, and would be told in an error.
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link", name)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if st, err := file.Stat(); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	} else if st.Size() > maxSize {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxSize>>20)
	}
	mfs, err := Decode(io.LimitReader(file, maxSize))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return mfs, nil
}

// replace writes mfs into a new file beside name and gives it that name.
func replace(name string, mfs []*dto.MetricFamily) (err error) {
	sweep(name)
	prefix, suffix := temporary(name)
	tmp, err := os.CreateTemp(filepath.Dir(name), prefix+"*"+suffix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if err := encode(tmp, mfs); err != nil {
		return err
	}
	if err := check(tmp); err != nil {
		return fmt.Errorf("what was to be written to %s is not readable as metrics: %w", name, err)
	}
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	// Else a crash can leave an empty file under the new name.
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// check reports whether a file that was written can be read, too.
func check(file *os.File) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	d := newDecoder()
	d.check = true
	return d.read(file)
}

// temporary returns what the names of the named file's temporary files have
// before and after a number. They must not end in .prom: the collector reads
// these, hidden or not.
func temporary(name string) (prefix, suffix string) {
	base := filepath.Base(name)
	return "." + base[:min(len(base), 200)] + ".", ".tmp" // a name has 255 bytes at most
}

// abandoned is the age from which on a temporary file is nobody's.
const abandoned = time.Minute

// sweep removes what programs that were killed while they wrote the named file
// have left behind.
func sweep(name string) {
	prefix, suffix := temporary(name)
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return
	}
	defer dir.Close()
	files, _ := dir.Readdirnames(sweepLimit)
	for _, file := range files {
		rest, ours := strings.CutPrefix(file, prefix)
		number, tmp := strings.CutSuffix(rest, suffix)
		if !ours || !tmp || strings.Trim(number, "0123456789") != "" {
			continue
		}
		path := filepath.Join(filepath.Dir(name), file)
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > abandoned {
			os.Remove(path)
		}
	}
}

// sweepLimit is how many names of a directory are looked at: a million of them
// must not hold up a backup.
const sweepLimit = 10_000

// lockTimeout is how long another program may hold the directory. It is not
// forever: whoever may open the directory may lock it.
const lockTimeout = 5 * time.Second

// lock takes an advisory lock on the directory: that leaves no file behind.
func lock(dir string) (unlock func(), err error) {
	d, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrPermission) {
		// A directory may be writable and not readable; then nobody locks it.
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(lockTimeout); ; time.Sleep(10 * time.Millisecond) {
		err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || err != syscall.EWOULDBLOCK && err != syscall.EINTR || time.Now().After(deadline) {
			return func() { d.Close() }, nil
		}
	}
}
